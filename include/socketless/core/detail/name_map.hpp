// A map that finds things by their names, without copying the name. Peers may choose the names: the hash has a key.
#pragma once

#include <socketless/core/detail/siphash.hpp>
#include <socketless/core/hash_key.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

class name_hash {
public:
    using is_transparent = void;

    explicit name_hash(hash_key const& key) noexcept : key_(key) {}

    // Not noexcept, so that libstdc++ keeps the hashes of its names and does not make them again to find a name.
    [[nodiscard]] std::size_t operator()(std::string_view name) const {
        return static_cast<std::size_t>(siphash(key_, name));
    }

private:
    hash_key key_;
};

template <class T>
class name_map : public std::unordered_map<std::string, T, name_hash, std::equal_to<>> {
public:
    explicit name_map(hash_key const& key = {})
        : std::unordered_map<std::string, T, name_hash, std::equal_to<>>(0, name_hash(key)) {}

    // Gives back the memory that names have left behind, if the map is empty.
    void shrink() noexcept {
        constexpr std::size_t few_buckets = 64;
        if (!this->empty() || this->bucket_count() <= few_buckets) return;
        name_map fresh(*this, 0);
        this->swap(fresh);
    }

private:
    name_map(name_map const& other, std::size_t buckets)
        : std::unordered_map<std::string, T, name_hash, std::equal_to<>>(buckets, other.hash_function()) {}
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
