// RocksDB's FileSystem over the function table of adapter.h. It only
// translates; the format, the crypto and all decisions are Rust.

#include "adapter.h"

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/c.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/io_status.h"

namespace {

using namespace ROCKSDB_NAMESPACE;

CofferBytes Bytes(const std::string& s) { return {s.data(), s.size()}; }

IOStatus ToStatus(const CofferStatus& s) {
  if (s.code == kCofferOk) return IOStatus::OK();
  const Slice message(s.message, s.len);
  switch (s.code) {
    case kCofferNotFound:
      return IOStatus::NotFound(message);
    case kCofferCorruption:
      return IOStatus::Corruption(message);
    case kCofferNoSpace:
      return IOStatus::NoSpace(message);
    case kCofferNotSupported:
      return IOStatus::NotSupported(message);
    case kCofferBusy:
      return IOStatus::Busy(message);
    default:
      return IOStatus::IOError(message);
  }
}

// A status to be filled, ok until it is.
struct Call : CofferStatus {
  Call() {
    code = kCofferOk;
    len = 0;
  }
  IOStatus Done() const { return ToStatus(*this); }
};

class CofferSequentialFile : public FSSequentialFile {
 public:
  CofferSequentialFile(const CofferTable* table, void* file)
      : table_(table), file_(file) {}
  ~CofferSequentialFile() override { table_->sequential_drop(file_); }

  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    Call call;
    const size_t got = table_->sequential_read(file_, scratch, n, &call);
    *result = Slice(scratch, call.code == kCofferOk ? got : 0);
    return call.Done();
  }

  IOStatus Skip(uint64_t n) override {
    Call call;
    table_->sequential_skip(file_, n, &call);
    return call.Done();
  }

 private:
  const CofferTable* const table_;
  void* const file_;
};

class CofferRandomAccessFile : public FSRandomAccessFile {
 public:
  CofferRandomAccessFile(const CofferTable* table, void* file)
      : table_(table), file_(file) {}
  ~CofferRandomAccessFile() override { table_->random_drop(file_); }

  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result,
                char* scratch, IODebugContext*) const override {
    if (scratch == nullptr && n > 0) {
      return IOStatus::NotSupported("mapped reads");
    }
    Call call;
    const size_t got = table_->random_read(file_, offset, scratch, n, &call);
    *result = Slice(scratch, call.code == kCofferOk ? got : 0);
    return call.Done();
  }

  IOStatus GetFileSize(uint64_t* result) override {
    Call call;
    *result = table_->random_len(file_, &call);
    return call.Done();
  }

 private:
  const CofferTable* const table_;
  void* const file_;
};

class CofferWritableFile : public FSWritableFile {
 public:
  CofferWritableFile(const CofferTable* table, void* file,
                     const FileOptions& options)
      : FSWritableFile(options), table_(table), file_(file) {}
  ~CofferWritableFile() override { table_->writable_drop(file_); }

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&,
                  IODebugContext*) override {
    Call call;
    table_->writable_append(file_, {data.data(), data.size()}, &call);
    return call.Done();
  }

  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    if (size == table_->writable_len(file_)) return IOStatus::OK();
    return IOStatus::NotSupported("cutting a file that is being written");
  }

  IOStatus Flush(const IOOptions&, IODebugContext*) override {
    Call call;
    table_->writable_flush(file_, &call);
    return call.Done();
  }

  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    Call call;
    table_->writable_sync(file_, &call);
    return call.Done();
  }

  IOStatus Close(const IOOptions&, IODebugContext*) override {
    Call call;
    table_->writable_close(file_, &call);
    return call.Done();
  }

  // The WAL is synced while it is appended to.
  bool IsSyncThreadSafe() const override { return true; }

  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return table_->writable_len(file_);
  }

 private:
  const CofferTable* const table_;
  void* const file_;
};

class CofferDirectory : public FSDirectory {
 public:
  CofferDirectory(const CofferTable* table, void* fs, std::string path)
      : table_(table), fs_(fs), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    Call call;
    table_->sync_dir(fs_, Bytes(path_), &call);
    return call.Done();
  }

  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  const CofferTable* const table_;
  void* const fs_;
  const std::string path_;
};

class CofferLock : public FileLock {
 public:
  CofferLock(const CofferTable* table, void* lock)
      : table_(table), lock_(lock) {}
  ~CofferLock() override { table_->lock_drop(lock_); }

 private:
  const CofferTable* const table_;
  void* const lock_;
};

class CofferLogger : public Logger {
 public:
  explicit CofferLogger(const CofferTable* table)
      : Logger(InfoLogLevel::WARN_LEVEL), table_(table) {}
  ~CofferLogger() override { Close().PermitUncheckedError(); }

  using Logger::Logv;
  void Logv(const InfoLogLevel level, const char* format,
            va_list ap) override {
    // RocksDB sets the level of its options on every logger; ours stands.
    if (level < InfoLogLevel::WARN_LEVEL ||
        level >= InfoLogLevel::HEADER_LEVEL) {
      return;
    }
    char buffer[512];
    const int n = vsnprintf(buffer, sizeof(buffer), format, ap);
    if (n <= 0) return;
    const size_t len = static_cast<size_t>(n) < sizeof(buffer)
                           ? static_cast<size_t>(n)
                           : sizeof(buffer) - 1;
    table_->log(static_cast<uint8_t>(level), {buffer, len});
  }
  // Without a level it is an info message.
  void Logv(const char*, va_list) override {}
  void LogHeader(const char*, va_list) override {}

 protected:
  Status CloseImpl() override { return Status::OK(); }

 private:
  const CofferTable* const table_;
};

void PushName(void* sink, const char* name, size_t len) noexcept {
  static_cast<std::vector<std::string>*>(sink)->emplace_back(name, len);
}

class CofferFileSystem : public FileSystem {
 public:
  CofferFileSystem(void* fs, const CofferTable* table)
      : fs_(fs), table_(table) {}
  ~CofferFileSystem() override { table_->fs_drop(fs_); }

  const char* Name() const override { return "CofferSealedFS"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<FSSequentialFile>* result,
                             IODebugContext*) override {
    Call call;
    void* file = table_->open_sequential(fs_, Bytes(path), &call);
    if (file != nullptr) {
      result->reset(new CofferSequentialFile(table_, file));
    }
    return call.Done();
  }

  IOStatus NewRandomAccessFile(const std::string& path,
                               const FileOptions& options,
                               std::unique_ptr<FSRandomAccessFile>* result,
                               IODebugContext*) override {
    if (options.use_mmap_reads) return IOStatus::NotSupported("mapped reads");
    Call call;
    void* file = table_->open_random(fs_, Bytes(path), &call);
    if (file != nullptr) {
      result->reset(new CofferRandomAccessFile(table_, file));
    }
    return call.Done();
  }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext*) override {
    return OpenWritable(path, options, 0, result);
  }

  IOStatus ReopenWritableFile(const std::string& path,
                              const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* result,
                              IODebugContext*) override {
    return OpenWritable(path, options, 1, result);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<FSDirectory>* result,
                        IODebugContext*) override {
    Call call;
    CofferMeta meta{};
    table_->metadata(fs_, Bytes(path), &meta, &call);
    if (call.code == kCofferOk) {
      if (!meta.is_dir) return IOStatus::IOError(path, "not a directory");
      result->reset(new CofferDirectory(table_, fs_, path));
    }
    return call.Done();
  }

  IOStatus FileExists(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    Call call;
    CofferMeta meta{};
    table_->metadata(fs_, Bytes(path), &meta, &call);
    return call.Done();
  }

  IOStatus GetChildren(const std::string& path, const IOOptions&,
                       std::vector<std::string>* result,
                       IODebugContext*) override {
    Call call;
    result->clear();
    table_->list(fs_, Bytes(path), result, PushName, &call);
    return call.Done();
  }

  // GetChildrenFileAttributes of the base class asks GetFileSize of each
  // child, so it is logical too.

  IOStatus DeleteFile(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    Call call;
    table_->remove(fs_, Bytes(path), &call);
    return call.Done();
  }

  IOStatus CreateDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    Call call;
    table_->create_dir(fs_, Bytes(path), 0, &call);
    return call.Done();
  }

  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&,
                              IODebugContext*) override {
    Call call;
    table_->create_dir(fs_, Bytes(path), 1, &call);
    return call.Done();
  }

  IOStatus DeleteDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    Call call;
    table_->remove_dir(fs_, Bytes(path), &call);
    return call.Done();
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions&,
                       uint64_t* size, IODebugContext*) override {
    Call call;
    *size = 0;
    table_->logical_len(fs_, Bytes(path), size, &call);
    return call.Done();
  }

  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&,
                                   uint64_t* time, IODebugContext*) override {
    Call call;
    CofferMeta meta{};
    table_->metadata(fs_, Bytes(path), &meta, &call);
    *time = meta.modified;
    return call.Done();
  }

  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const IOOptions&, IODebugContext*) override {
    Call call;
    table_->rename(fs_, Bytes(from), Bytes(to), &call);
    return call.Done();
  }

  IOStatus LinkFile(const std::string& from, const std::string& to,
                    const IOOptions&, IODebugContext*) override {
    Call call;
    table_->link(fs_, Bytes(from), Bytes(to), &call);
    return call.Done();
  }

  IOStatus SyncFile(const std::string& path, const FileOptions&,
                    const IOOptions&, bool, IODebugContext*) override {
    Call call;
    table_->sync_file(fs_, Bytes(path), &call);
    return call.Done();
  }

  IOStatus NumFileLinks(const std::string& path, const IOOptions&,
                        uint64_t* count, IODebugContext*) override {
    Call call;
    CofferMeta meta{};
    table_->metadata(fs_, Bytes(path), &meta, &call);
    *count = meta.links;
    return call.Done();
  }

  IOStatus AreFilesSame(const std::string& first, const std::string& second,
                        const IOOptions&, bool* same,
                        IODebugContext*) override {
    *same = false;
    Call call;
    CofferMeta a{};
    CofferMeta b{};
    table_->metadata(fs_, Bytes(first), &a, &call);
    if (call.code == kCofferOk) {
      table_->metadata(fs_, Bytes(second), &b, &call);
      *same = a.device == b.device && a.inode == b.inode;
    }
    return call.Done();
  }

  IOStatus LockFile(const std::string& path, const IOOptions&, FileLock** lock,
                    IODebugContext*) override {
    *lock = nullptr;
    Call call;
    void* held = table_->lock(fs_, Bytes(path), &call);
    if (held != nullptr) *lock = new CofferLock(table_, held);
    return call.Done();
  }

  IOStatus UnlockFile(FileLock* lock, const IOOptions&,
                      IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }

  IOStatus GetTestDirectory(const IOOptions&, std::string*,
                            IODebugContext*) override {
    return IOStatus::NotSupported("a test directory");
  }

  IOStatus NewLogger(const std::string&, const IOOptions&,
                     std::shared_ptr<Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<CofferLogger>(table_);
    return IOStatus::OK();
  }

  // Paths are handed on as they are; the process never changes directory.
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&,
                           std::string* output, IODebugContext*) override {
    *output = path;
    return IOStatus::OK();
  }

  IOStatus GetFreeSpace(const std::string& path, const IOOptions&,
                        uint64_t* free, IODebugContext*) override {
    Call call;
    *free = table_->free_space(fs_, Bytes(path), &call);
    return call.Done();
  }

  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_dir,
                       IODebugContext*) override {
    Call call;
    CofferMeta meta{};
    table_->metadata(fs_, Bytes(path), &meta, &call);
    *is_dir = meta.is_dir != 0;
    return call.Done();
  }

  // No asynchronous reads and no prefetch below: RocksDB's own prefetch
  // buffer does the reading ahead, and each chunk is opened once.
  void SupportedOps(int64_t& supported) override { supported = 0; }

 private:
  IOStatus OpenWritable(const std::string& path, const FileOptions& options,
                        uint8_t reopen,
                        std::unique_ptr<FSWritableFile>* result) {
    Call call;
    void* file = table_->open_writable(fs_, Bytes(path), reopen, &call);
    if (file != nullptr) {
      result->reset(new CofferWritableFile(table_, file, options));
    }
    return call.Done();
  }

  void* const fs_;
  const CofferTable* const table_;
};

// What c.cc calls rocksdb_env_t. rocksdb_env_destroy deletes `rep` unless it
// is the default one, and then the struct.
struct EnvMirror {
  Env* rep;
  bool is_default;
};

}  // namespace

extern "C" void* coffer_env_new(void* fs, const CofferTable* table) {
  bool owned = false;
  try {
    auto mirror = std::make_unique<EnvMirror>();
    auto file_system = std::make_shared<CofferFileSystem>(fs, table);
    owned = true;
    mirror->rep = NewCompositeEnv(file_system).release();
    mirror->is_default = false;
    return mirror.release();
  } catch (const std::exception&) {
    if (!owned) table->fs_drop(fs);
    return nullptr;
  }
}

extern "C" int coffer_env_layout_ok(void) {
  rocksdb_env_t* made = rocksdb_create_default_env();
  if (made == nullptr) return 0;
  const auto* mirror = reinterpret_cast<const EnvMirror*>(made);
  const bool ok = mirror->rep == Env::Default() && mirror->is_default;
  rocksdb_env_destroy(made);
  return ok ? 1 : 0;
}
