// Things that are found by their names, without a copy of the name.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

struct name_hash {
    using is_transparent = void;

    [[nodiscard]] std::size_t operator()(std::string_view name) const noexcept {
        return std::hash<std::string_view>()(name);
    }
};

template <class T>
using name_map = std::unordered_map<std::string, T, name_hash, std::equal_to<>>;

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
