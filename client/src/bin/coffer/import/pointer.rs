//! JSON pointers (RFC 6901), and a walk to the array that one names without keeping the rest of the file.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Takes one element of the array; an error ends the walk.
pub type Sink<'a> = &'a mut dyn FnMut(Value) -> Result<(), String>;

/// The steps of a pointer.
///
/// # Errors
/// Says why it is none.
pub fn steps(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(format!("`{pointer}` is no JSON pointer: it begins with a slash, as in /639-3"));
    };
    Ok(rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// Walks along `steps` and hands each element of the array there to `sink`.
pub struct Walk<'s, 'a> {
    /// The steps that are left.
    pub steps: &'s [String],
    /// Takes the elements.
    pub sink: Sink<'a>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() {
            deserializer.deserialize_seq(Elements(self.sink))
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object or array with `{}`", self.steps[0])
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.steps[0] && !found {
                found = true;
                map.next_value_seed(Walk { steps: &self.steps[1..], sink: &mut *self.sink })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(missing(&self.steps[0])) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let wanted: usize = self.steps[0].parse().map_err(|_| missing(&self.steps[0]))?;
        let mut at = 0;
        let mut found = false;
        loop {
            let more = if at == wanted {
                let next = seq.next_element_seed(Walk { steps: &self.steps[1..], sink: &mut *self.sink })?;
                found = next.is_some();
                found
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
            at += 1;
        }
        if found { Ok(()) } else { Err(missing(&self.steps[0])) }
    }
}

fn missing<E: Error>(step: &str) -> E {
    E::custom(format!("the pointer leads nowhere: there is no `{step}`"))
}

struct Elements<'a>(Sink<'a>);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of documents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            (self.0)(value).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(pointer: &str, json: &str) -> Result<Vec<Value>, String> {
        let steps = steps(pointer)?;
        let mut found = Vec::new();
        let mut sink = |value| {
            found.push(value);
            Ok(())
        };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Walk { steps: &steps, sink: &mut sink }
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[test]
    fn a_pointer_leads_to_its_array() {
        assert_eq!(walk("", "[1, 2]").unwrap(), [1, 2]);
        assert_eq!(walk("/b", r#"{"a": [1], "b": [2, 3], "c": {"b": [4]}}"#).unwrap(), [2, 3]);
        assert_eq!(walk("/x~1y/1/~0", r#"{"x/y": [[], {"~": [7]}, []]}"#).unwrap(), [7]);
        assert!(walk("/a", r#"{"a": []}"#).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_pointer_says_where_it_fails() {
        for (pointer, json, why) in [
            ("a", "[]", "begins with a slash"),
            ("/a", r#"{"b": []}"#, "there is no `a`"),
            ("/0", "[]", "there is no `0`"),
            ("/a", r#"{"a": 7}"#, "an array of documents"),
            ("/a/b", r#"{"a": 7}"#, "an object or array with `b`"),
            ("/a", r#"{"a": []} x"#, "trailing"),
        ] {
            let error = walk(pointer, json).unwrap_err();
            assert!(error.contains(why), "{pointer} {json}: {error}");
        }
    }
}
