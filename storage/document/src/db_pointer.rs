//! The parts of a DBPointer, a type that BSON has given up and that the `bson` crate reads without showing what is in
//! it.

use bson::{Bson, Document};

/// Bytes before the namespace in a document of one DBPointer without a name: length, type, name, length of the string.
const HEAD: usize = 4 + 1 + 1 + 4;

/// The namespace and the ObjectId of `value`, which must be a DBPointer.
pub(crate) fn parts(value: &Bson) -> (Vec<u8>, [u8; 12]) {
    let mut document = Document::new();
    document.insert("", value.clone());
    let bytes =
        document.to_vec().expect("a DBPointer under an empty name has nothing that cannot be written");
    let namespace_length =
        u32::from_le_bytes(bytes[HEAD - 4..HEAD].try_into().expect("the slice has four bytes")) as usize - 1;
    let id_start = HEAD + namespace_length + 1;
    let namespace = bytes[HEAD..HEAD + namespace_length].to_vec();
    let id = bytes[id_start..id_start + 12].try_into().expect("the slice has twelve bytes");
    (namespace, id)
}

/// A DBPointer, which the `bson` crate only makes out of bytes.
#[cfg(test)]
pub(crate) fn new(namespace: &str, id: [u8; 12]) -> Bson {
    let mut bytes = vec![0; 4];
    bytes.extend([0x0C, 0]);
    bytes.extend((namespace.len() as u32 + 1).to_le_bytes());
    bytes.extend(namespace.as_bytes());
    bytes.push(0);
    bytes.extend(id);
    bytes.push(0);
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let document = Document::from_reader(&bytes[..]).unwrap();
    document.get("").unwrap().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let id = *b"twelve bytes";
        assert_eq!(parts(&new("db.collection", id)), (b"db.collection".to_vec(), id));
        assert_eq!(parts(&new("", id)), (Vec::new(), id));
    }
}
