// All small changes of a good input. Each lies in memory of exactly its size, so that a sanitizer sees a read past the
// end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace support {

// A copy with nothing behind it.
class exact_copy {
public:
    explicit exact_copy(std::string_view s) : memory_(new char[s.size()]), size_(s.size()) {
        std::copy(s.begin(), s.end(), memory_.get());
    }

    [[nodiscard]] std::string_view view() const noexcept { return {memory_.get(), size_}; }
    [[nodiscard]] std::span<char> span() const noexcept { return {memory_.get(), size_}; }

private:
    std::unique_ptr<char[]> memory_;
    std::size_t size_;
};

// Calls `f(std::string_view)` with every prefix of `good`, from the empty one to all of it.
template <class F>
void for_each_prefix(std::string_view good, F f) {
    for (std::size_t size = 0; size <= good.size(); ++size) f(exact_copy(good.substr(0, size)).view());
}

// Calls `f(std::string_view)` with each of the 255 * size texts that differ from `good` in one byte.
template <class F>
void for_each_changed_byte(std::string_view good, F f) {
    exact_copy const copy(good);
    for (char& c : copy.span()) {
        char const original = c;
        for (unsigned other = 1; other != 256; ++other) {
            c = static_cast<char>(static_cast<unsigned char>(static_cast<unsigned char>(original) ^ other));
            f(copy.view());
        }
        c = original;
    }
}

// Calls `f(std::string_view)` with `good` less one byte, each in turn.
template <class F>
void for_each_removed_byte(std::string_view good, F f) {
    for (std::size_t i = 0; i != good.size(); ++i) {
        exact_copy const copy(good.substr(1));
        std::copy_n(good.begin(), i, copy.span().begin());
        f(copy.view());
    }
}

// Calls `f(std::string_view)` with `good` and each byte of `more` at each place, the end included.
template <class F>
void for_each_added_byte(std::string_view good, std::string_view more, F f) {
    exact_copy const copy(std::string(good) + '\0');
    for (std::size_t i = 0; i <= good.size(); ++i) {
        std::copy(good.begin(), good.end(), copy.span().begin());
        std::copy_backward(copy.span().begin() + static_cast<std::ptrdiff_t>(i), copy.span().end() - 1,
                           copy.span().end());
        for (char const c : more) {
            copy.span()[i] = c;
            f(copy.view());
        }
    }
}

// Every prefix and every single-byte change.
template <class F>
void for_each_mutation(std::string_view good, F f) {
    for_each_prefix(good, f);
    for_each_changed_byte(good, f);
}

} // namespace support
