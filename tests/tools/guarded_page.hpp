// A page of memory between two that nobody may read or write: what a kernel reads beyond its text ends the program.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#define SOCKETLESS_TEST_PAGES
#else
#include <vector>
#endif

namespace support {

#ifdef SOCKETLESS_TEST_PAGES

class guarded_page {
public:
    guarded_page()
        : size_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
          pages_(::mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        if (pages_ == MAP_FAILED || ::mprotect(begin(), size_, PROT_READ | PROT_WRITE) != 0) std::abort();
    }
    ~guarded_page() { ::munmap(pages_, 3 * size_); }
    guarded_page(guarded_page const&) = delete;
    guarded_page& operator=(guarded_page const&) = delete;

    // `size` bytes, `gap` bytes behind the start of the page.
    [[nodiscard]] std::span<char> at_start(std::size_t size, std::size_t gap) const { return {begin() + gap, size}; }
    // `size` bytes before the end of the page.
    [[nodiscard]] std::span<char> at_end(std::size_t size) const { return {begin() + size_ - size, size}; }

private:
    [[nodiscard]] char* begin() const noexcept { return static_cast<char*>(pages_) + size_; }

    std::size_t size_;
    void* pages_;
};

#else

// Without guards: the sanitizers of other machines find what this one does not.
class guarded_page {
public:
    [[nodiscard]] std::span<char> at_start(std::size_t size, std::size_t gap) { return {memory_.data() + gap, size}; }
    [[nodiscard]] std::span<char> at_end(std::size_t size) { return {memory_.data() + memory_.size() - size, size}; }

private:
    std::vector<char> memory_ = std::vector<char>(4096);
};

#endif

} // namespace support
