// How much memory is in use, in the program that counts it: see allocation_test.cpp.
#pragma once

#include <cstddef>

namespace support {

[[nodiscard]] std::size_t memory_in_use() noexcept;
// The calls of operator new so far.
[[nodiscard]] std::size_t allocation_count() noexcept;

} // namespace support
