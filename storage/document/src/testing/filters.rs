//! Filters that name `_id` often.

use bson::{Bson, Document, doc};
use rand::{RngExt, seq::IndexedRandom};

use super::values::{name, random_value};

/// A filter whose operands come from `pool`, so that it has a chance to match, nested up to `depth` levels.
pub(crate) fn random_filter(random: &mut impl RngExt, pool: &[Bson], depth: usize) -> Document {
    if depth > 0 && random.random_range(0..3) == 0 {
        let operator = *["$and", "$or", "$nor"].choose(random).unwrap();
        let count = random.random_range(1..4);
        let parts: Vec<Bson> =
            (0..count).map(|_| Bson::Document(random_filter(random, pool, depth - 1))).collect();
        return doc! { operator: parts };
    }
    let mut filter = Document::new();
    for _ in 0..random.random_range(1..3) {
        let path = match random.random_range(0..6) {
            0..4 => "_id".to_owned(),
            4 => name(random).to_owned(),
            _ => format!("{}.{}", name(random), name(random)),
        };
        filter.insert(path, random_condition(random, pool));
    }
    filter
}

fn random_condition(random: &mut impl RngExt, pool: &[Bson]) -> Bson {
    let mut operators = Document::new();
    for _ in 0..random.random_range(1..3) {
        let operator = *["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"]
            .choose(random)
            .unwrap();
        let argument = match operator {
            "$in" | "$nin" => {
                Bson::Array((0..random.random_range(0..4)).map(|_| operand(random, pool)).collect())
            }
            "$exists" => Bson::Boolean(random.random()),
            "$not" => Bson::Document(doc! { "$gte": operand(random, pool) }),
            _ => operand(random, pool),
        };
        operators.insert(operator, argument);
    }
    Bson::Document(operators)
}

/// A value that may be an operand: neither a regular expression nor undefined.
fn operand(random: &mut impl RngExt, pool: &[Bson]) -> Bson {
    loop {
        let value = if random.random_range(0..4) > 0 {
            pool.choose(random).unwrap().clone()
        } else {
            random_value(random, 1)
        };
        if !matches!(value, Bson::RegularExpression(_) | Bson::Undefined) {
            return value;
        }
    }
}
