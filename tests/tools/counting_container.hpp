// A character container that counts how often it grew, with the capacity that it was given.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace support {

class counting_container {
public:
    counting_container(std::string_view contents, std::size_t capacity)
        : memory_(capacity, '?'), size_(contents.size()) {
        std::copy(contents.begin(), contents.end(), memory_.begin());
    }

    char* data() { return memory_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return memory_.size(); }
    void resize(std::size_t size) {
        if (size > capacity()) {
            memory_.resize(size);
            ++growths_;
        }
        if (size > size_) std::fill_n(memory_.data() + size_, size - size_, '\0');
        size_ = size;
    }

    [[nodiscard]] std::string_view view() const { return {memory_.data(), size_}; }
    [[nodiscard]] int growths() const { return growths_; }

private:
    std::vector<char> memory_;
    std::size_t size_;
    int growths_ = 0;
};

} // namespace support
