//! Documents as people write them: MongoDB extended JSON v2
//! (<https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>).

use bson::{Bson, Document};
use serde_json::Value;

use crate::failure::Failure;

/// Reads one document, relaxed or canonical. `what` names it in an error, such as "the filter".
///
/// # Errors
/// [`Failure::Usage`] says where the text stops being a document.
pub fn parse_document(what: &str, text: &str) -> Result<Document, Failure> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        Failure::Usage(format!(
            "{what} is no JSON ({error}): write it like '{{\"name\": \"German\"}}', in single quotes for the shell"
        ))
    })?;
    to_document(what, value)
}

/// Reads all documents of a text: one after the other, or a JSON array of them.
///
/// # Errors
/// [`Failure::Usage`] says where the text stops being documents.
pub fn parse_documents(what: &str, text: &str) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| Failure::Usage(format!("{what} is no JSON ({error})")))?;
        match value {
            Value::Array(values) => {
                for value in values {
                    documents.push(to_document(what, value)?);
                }
            }
            other => documents.push(to_document(what, other)?),
        }
    }
    if documents.is_empty() {
        return Err(Failure::Usage(format!("{what} holds no document")));
    }
    Ok(documents)
}

fn to_document(what: &str, value: Value) -> Result<Document, Failure> {
    let Value::Object(map) = value else {
        return Err(Failure::Usage(format!(
            "{what} is {}, not a document: a document is written in braces",
            kind_of(&value)
        )));
    };
    from_map(map).map_err(|error| Failure::Usage(format!("{what} is no extended JSON: {error}")))
}

/// Turns a JSON object into a document.
///
/// # Errors
/// Says which value is not one of extended JSON.
pub fn from_map(map: serde_json::Map<String, Value>) -> Result<Document, String> {
    Document::try_from(map).map_err(|error| error.message.clone().unwrap_or_else(|| error.to_string()))
}

/// What a JSON value is, for a person.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// One value on one line: relaxed, as people like it, or canonical, which keeps every type.
pub fn to_line(value: impl Into<Bson>, canonical: bool) -> String {
    to_value(value, canonical).to_string()
}

/// One value as JSON.
pub fn to_value(value: impl Into<Bson>, canonical: bool) -> Value {
    let value = value.into();
    if canonical { value.into_canonical_extjson() } else { value.into_relaxed_extjson() }
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use bson::spec::BinarySubtype;
    use bson::{Binary, DateTime, Timestamp, doc};

    use super::*;

    fn every_type() -> Document {
        doc! {
            "_id": ObjectId::from_bytes([7; 12]),
            "z": 1, "a": 1_i64 << 60, "double": 1.0, "tiny": 5e-324, "huge": 1.5e300, "zero": -0.0,
            "infinite": f64::INFINITY, "text": "é\n\"", "yes": true, "null": Bson::Null,
            "date": DateTime::from_millis(1_700_000_000_123), "old": DateTime::from_millis(-5),
            "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255] },
            "stamp": Timestamp { time: 7, increment: 8 },
            "decimal": "1.50".parse::<bson::Decimal128>().unwrap(),
            "min": Bson::MinKey, "max": Bson::MaxKey,
            "nested": { "y": [1, { "b": 2, "a": 3 }], "x": {} },
        }
    }

    #[test]
    fn canonical_keeps_every_type_and_the_order_of_fields() {
        let document = every_type();
        let back = parse_document("it", &to_line(document.clone(), true)).unwrap();
        assert_eq!(back.to_vec().unwrap(), document.to_vec().unwrap());
    }

    #[test]
    fn relaxed_keeps_what_json_can_tell() {
        let line = to_line(every_type(), false);
        assert!(line.contains(r#""z":1,"a":1152921504606846976,"double":1.0"#), "{line}");
        assert!(line.contains(r#""date":{"$date":"2023-11-14T22:13:20.123Z"}"#), "{line}");
        let back = parse_document("it", &line).unwrap();
        assert_eq!(back.to_vec().unwrap(), every_type().to_vec().unwrap());
    }

    #[test]
    fn several_documents_come_one_after_the_other_or_in_an_array() {
        let two = [doc! { "a": 1 }, doc! { "b": 2 }];
        for text in ["{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1},{\"b\":2}]", "{\"a\":1} [ {\"b\":2} ]"] {
            assert_eq!(parse_documents("it", text).unwrap(), two, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_reason() {
        for (text, why) in [
            ("{", "no JSON"),
            ("7", "a number"),
            ("[]", "an array"),
            (r#"{"a": {"$oid": "xyz"}}"#, "no extended JSON"),
            (r#"{"a": {"$date": true}}"#, "no extended JSON"),
        ] {
            let failure = parse_document("the filter", text).unwrap_err();
            assert_eq!(failure.exit_status(), 2);
            let message = failure.to_string();
            assert!(message.contains("the filter") && message.contains(why), "{message}");
        }
        assert!(parse_documents("it", " ").is_err());
    }
}
