#include "engine/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "engine/run_store.h"

namespace engine {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// "123 host" as its holder wrote it; printable characters only, since the file may be anyone's.
std::string holder_of(int descriptor) {
  std::array<char, 300> bytes{};
  const ssize_t size = pread(descriptor, bytes.data(), bytes.size() - 1, 0);
  std::string text(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  text = text.substr(0, text.find('\n'));
  std::erase_if(text, [](unsigned char c) { return c < ' ' || c > '~'; });
  const auto space = text.find(' ');
  if (space == std::string::npos) return "of unknown name";
  return "process " + text.substr(0, space) + " on " + text.substr(space + 1);
}

void make_folder(const std::filesystem::path& store) {
  std::error_code error;
  if (std::filesystem::is_directory(store, error)) {
    throw StoreError("The store " + store.string() + " is a folder; expected a file.");
  }
  const auto folder = std::filesystem::absolute(store).parent_path();
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw StoreError("Cannot make the folder " + folder.string() +
                     " for the store: " + error.message() + ".");
  }
}

bool still_named(int descriptor, const std::filesystem::path& file) {
  struct stat held {
  }, named{};
  return fstat(descriptor, &held) == 0 && stat(file.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

StoreLock::StoreLock(const std::filesystem::path& store) : file_(store) {
  make_folder(store);
  file_ += ".lock";
  const auto cannot = [&](const std::string& why) {
    return StoreError("Cannot lock the store " + store.string() + " for writing: " + why + ".");
  };
  for (;;) {
    descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor_ < 0) throw cannot(std::generic_category().message(errno));
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      const std::string holder = holder_of(descriptor_);
      close(descriptor_);
      if (code == EINTR) continue;
      if (code != EWOULDBLOCK) {
        throw cannot("its file system has no file locks (" + std::generic_category().message(code) +
                     "); keep the store on another disk with --store OTHER.db");
      }
      throw StoreBusy("The store " + store.string() + " is being written to by another program (" +
                      holder +
                      "); close it, or write to a store of your own with --store OTHER.db and "
                      "take it over later with \"equipoise import OTHER.db\".");
    }
    // The last holder may have removed the file between our open and our lock.
    if (still_named(descriptor_, file_)) break;
    close(descriptor_);
  }
  const std::string text = std::to_string(getpid()) + " " + host_name() + "\n";
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, text.data(), text.size(), 0) < 0) {
    // A full disk leaves the lock unnamed but held.
  }
}

StoreLock::~StoreLock() {
  unlink(file_.c_str());
  close(descriptor_);
}

bool store_is_held(const std::filesystem::path& store) {
  const std::string file = store.string() + ".lock";
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return false;
  const bool held = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(descriptor);
  return held;
}

bool shared_file_system(std::uint64_t f_type) {
  static constexpr std::array<std::uint64_t, 19> k_shared = {
      0x6969,      // NFS
      0x517B,      // SMB
      0xFE534D42,  // SMB2
      0xFF534D42,  // CIFS
      0x0BD00BD0,  // Lustre
      0x47504653,  // GPFS
      0x65735546,  // FUSE
      0x00C36400,  // Ceph
      0x5346414F,  // AFS
      0x6B414653,  // kAFS
      0x01021997,  // 9P
      0x19830326,  // BeeGFS
      0x18031977,  // WekaFS
      0xAAD7AAEA,  // PanFS
      0x7461636F,  // OCFS2
      0x01161970,  // GFS2
      0x73757245,  // Coda
      0x786F4256,  // VirtualBox shared folder
      0xBACBACBC,  // VMware shared folder
  };
  // f_type is signed on some architectures, so only its low 32 bits say something.
  return std::find(k_shared.begin(), k_shared.end(), f_type & 0xFFFFFFFF) != k_shared.end();
}

bool on_shared_file_system(const std::filesystem::path& path) {
  struct statfs info {};
  std::filesystem::path place = std::filesystem::absolute(path);
  while (statfs(place.c_str(), &info) != 0) {
    if (errno != ENOENT || place == place.parent_path()) return false;
    place = place.parent_path();
  }
  return shared_file_system(static_cast<std::uint64_t>(info.f_type));
}

}  // namespace engine
