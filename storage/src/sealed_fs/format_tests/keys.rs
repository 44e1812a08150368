//! Files under other keys, and without any.

use super::*;

#[test]
fn keys_are_told_apart() {
    let disk = disk();
    for path in [STREAM, BLOCK, "/d/CURRENT"] {
        let file = keyed(&disk, 2, 9).create(Path::new(path)).unwrap();
        file.append(b"MANIFEST-000001\n").unwrap();
        file.sync().unwrap();
        file.close().unwrap();
        assert_eq!(read_block(&keyed(&disk, 3, 9), path).unwrap(), b"MANIFEST-000001\n");
        let error = read_block(&keyed(&disk, 2, 8), path).unwrap_err();
        assert!(matches!(error, SealedFsError::WrongKey { version: 2, .. }), "{error}");
        let error = read_block(&keyed(&disk, 1, 9), path).unwrap_err();
        assert!(matches!(error, SealedFsError::UnknownKeyVersion { version: 2, .. }), "{error}");
        let plain = FileSystem::new(Arc::new(disk.clone()), None);
        let error = read_block(&plain, path).unwrap_err();
        assert!(matches!(error, SealedFsError::SealedButPlain { .. }), "{error}");
        let keys = Keys { current: 2, salt: 9 };
        assert_eq!(check_header(&disk, &keys, Path::new(path)).unwrap(), Some(2));
    }
    let keys = |salt| -> Option<Arc<dyn KeySource>> { Some(Arc::new(Keys { current: 2, salt })) };
    let at = |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(disk.clone()) };
    use super::super::InstanceState::{Absent, Present, WithoutWal};
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/d")).unwrap(), Present);
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/e")).unwrap(), Absent);
    assert!(check_instance(at(&disk), keys(8), Path::new("/d")).unwrap_err().is_corruption());
    disk.remove(Path::new(STREAM)).unwrap();
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/d")).unwrap(), WithoutWal);
    let file = keyed(&disk, 3, 9).create(Path::new("/d/x")).unwrap();
    file.close().unwrap();
    let versions = header_key_versions(&disk, Path::new("/d")).unwrap();
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    disk.write_file(Path::new("/d/CURRENT"), b"MANIFEST-000001\n".to_vec());
    let error = check_instance(at(&disk), keys(9), Path::new("/d")).unwrap_err();
    assert!(matches!(error, SealedFsError::NotSealed { .. }), "{error}");
    assert_eq!(check_instance(at(&disk), None, Path::new("/d")).unwrap(), WithoutWal);
}

#[test]
fn plain_files_are_what_was_written() {
    let disk = disk();
    let fs = FileSystem::new(Arc::new(disk.clone()), None);
    let file = fs.create(Path::new(STREAM)).unwrap();
    file.append(b"as it is").unwrap();
    file.sync().unwrap();
    file.close().unwrap();
    assert_eq!(disk.read_file(Path::new(STREAM)).unwrap(), b"as it is");
    let file = fs.reopen(Path::new(STREAM)).unwrap();
    file.append(b", on").unwrap();
    file.close().unwrap();
    assert_eq!(read_stream(&fs, STREAM).unwrap(), b"as it is, on");
    assert_eq!(fs.logical_len(Path::new(STREAM)).unwrap(), 12);
}
