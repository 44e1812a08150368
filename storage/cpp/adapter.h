// The table of functions through which RocksDB's file system reaches Rust
// (storage/src/sealed_fs/adapter.rs mirrors it field by field).
//
// Every function is total: it never throws or unwinds, and reports through
// CofferStatus. Paths and messages are pointer and length, not terminated.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {

enum CofferCode : int32_t {
  kCofferOk = 0,
  kCofferNotFound = 1,
  kCofferCorruption = 2,
  kCofferIoError = 3,
  kCofferNoSpace = 4,
  kCofferNotSupported = 5,
  kCofferBusy = 6,
};

struct CofferStatus {
  int32_t code;
  uint32_t len;
  char message[504];
};

struct CofferMeta {
  uint64_t len;  // logical
  uint64_t modified;
  uint64_t links;
  uint64_t device;
  uint64_t inode;
  uint8_t is_dir;
};

struct CofferBytes {
  const char* data;
  size_t len;
};

typedef void (*CofferPushName)(void* sink, const char* name, size_t len);

struct CofferTable {
  void (*fs_drop)(void* fs);
  void* (*open_sequential)(void* fs, CofferBytes path, CofferStatus* status);
  size_t (*sequential_read)(void* file, char* data, size_t len,
                            CofferStatus* status);
  void (*sequential_skip)(void* file, uint64_t len, CofferStatus* status);
  void (*sequential_drop)(void* file);
  void* (*open_random)(void* fs, CofferBytes path, CofferStatus* status);
  size_t (*random_read)(void* file, uint64_t offset, char* data, size_t len,
                        CofferStatus* status);
  uint64_t (*random_len)(void* file, CofferStatus* status);
  void (*random_drop)(void* file);
  void* (*open_writable)(void* fs, CofferBytes path, uint8_t reopen,
                         CofferStatus* status);
  void (*writable_append)(void* file, CofferBytes data, CofferStatus* status);
  void (*writable_flush)(void* file, CofferStatus* status);
  void (*writable_sync)(void* file, CofferStatus* status);
  void (*writable_close)(void* file, CofferStatus* status);
  uint64_t (*writable_len)(void* file);
  void (*writable_drop)(void* file);
  void (*metadata)(void* fs, CofferBytes path, CofferMeta* meta,
                   CofferStatus* status);
  void (*logical_len)(void* fs, CofferBytes path, uint64_t* len,
                      CofferStatus* status);
  void (*list)(void* fs, CofferBytes path, void* sink, CofferPushName push,
               CofferStatus* status);
  void (*create_dir)(void* fs, CofferBytes path, uint8_t if_missing,
                     CofferStatus* status);
  void (*remove_dir)(void* fs, CofferBytes path, CofferStatus* status);
  void (*sync_dir)(void* fs, CofferBytes path, CofferStatus* status);
  void (*sync_file)(void* fs, CofferBytes path, CofferStatus* status);
  void (*remove)(void* fs, CofferBytes path, CofferStatus* status);
  void (*rename)(void* fs, CofferBytes from, CofferBytes to,
                 CofferStatus* status);
  void (*link)(void* fs, CofferBytes from, CofferBytes to,
               CofferStatus* status);
  void* (*lock)(void* fs, CofferBytes path, CofferStatus* status);
  void (*lock_drop)(void* lock);
  uint64_t (*free_space)(void* fs, CofferBytes path, CofferStatus* status);
  void (*log)(uint8_t level, CofferBytes message);
};

// Makes a rocksdb_env_t that owns `fs`. Null when memory is short; `fs` is
// dropped then too.
void* coffer_env_new(void* fs, const CofferTable* table);

// 1 when rocksdb_env_t is what this adapter takes it for.
int coffer_env_layout_ok(void);
}
