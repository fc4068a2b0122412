// A map from ids, which are 64 bits that nobody chooses to do harm, to small numbers.
#pragma once

#include <socketless/core/detail/index_table.hpp>
#include <socketless/core/detail/shrink.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// It takes about half of what a node-based map does, and a search touches two places.
class id_map {
    struct record {
        std::uint64_t id;
        std::uint32_t number; // of a free record: the next free one
    };

    [[nodiscard]] auto hash_of() const noexcept {
        return [this](std::uint32_t i) { return all_[i].id; };
    }

public:
    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }

    // The number, or null. Valid until the next call that is not const.
    [[nodiscard]] std::uint32_t const* find(std::uint64_t id) const noexcept {
        std::uint32_t const i = place_of(id);
        return i == index_table::none ? nullptr : &all_[i].number;
    }

    // False, and nothing changes, if the id is there already, or if it throws.
    bool emplace(std::uint64_t id, std::uint32_t number) {
        if (place_of(id) != index_table::none) return false;
        table_.reserve(hash_of());
        if (free_ == index_table::none) {
            all_.push_back({0, index_table::none});
            free_ = static_cast<std::uint32_t>(all_.size() - 1);
        }
        std::uint32_t const i = free_;
        free_ = all_[i].number;
        all_[i] = {id, number};
        table_.insert(i, id);
        return true;
    }

    // Harmless if the id is not there.
    void erase(std::uint64_t id) noexcept {
        std::uint32_t const i = place_of(id);
        if (i == index_table::none) return;
        table_.erase(i, hash_of());
        all_[i].number = free_;
        free_ = i;
        if (table_.size() != 0) return;
        all_.clear();
        free_ = index_table::none;
        shrink(all_);
    }

private:
    [[nodiscard]] std::uint32_t place_of(std::uint64_t id) const noexcept {
        return table_.find(id, [&](std::uint32_t i) { return all_[i].id == id; });
    }
    std::vector<record> all_;
    index_table table_;
    std::uint32_t free_ = index_table::none;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
