// The namespaces of a server: those that are declared, and those that a predicate lets clients make.
#pragma once

#include <socketless/admission.hpp>
#include <socketless/core/assert.hpp>
#include <socketless/core/detail/name_map.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/hash_key.hpp>
#include <socketless/json/text.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// The server calls them by small, dense numbers. A namespace that was made for a client goes when it is released.
class namespaces {
public:
    explicit namespaces(hash_key const& key) : numbers_(key) {}

    // Makes the namespace, or changes who may join it.
    void declare(std::string_view name, admission a) {
        auto const found = numbers_.find(name);
        record& r = records_[found != numbers_.end() ? found->second : make(name)];
        r.admission = a;
        r.is_declared = true;
    }
    void declare_matching(namespace_predicate predicate, admission a) {
        predicates_.emplace_back(std::move(predicate), a);
    }

    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const {
        auto const found = numbers_.find(name);
        if (found == numbers_.end()) return std::nullopt;
        return found->second;
    }

    // The namespace that a client asks for; made if a predicate allows it. The first predicate that does so decides.
    [[nodiscard]] std::optional<std::uint32_t> find_or_make(std::string_view name, json::text auth) {
        auto const found = find(name);
        if (found && !is_idle(*found)) return found;
        auto const end = predicates_.size(); // a predicate may add others
        std::size_t i = 0;
        while (i != end) {
            auto const& [matches, a] = predicates_[i++];
            if (!matches(name, auth)) continue;
            auto const declared = find(name); // perhaps by the predicate
            if (declared && !is_idle(*declared)) return declared;
            std::uint32_t const number = declared ? *declared : make(name);
            records_[number].admission = a;
            return number;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::string_view name(std::uint32_t number) const noexcept { return records_[number].name; }
    [[nodiscard]] socketless::admission admission(std::uint32_t number) const noexcept {
        return records_[number].admission;
    }

    // Counts the sockets that are in it or asked to join.
    void enter(std::uint32_t number) noexcept { ++records_[number].sockets; }
    void exit(std::uint32_t number) noexcept { --records_[number].sockets; }

    [[nodiscard]] bool is_idle(std::uint32_t number) const noexcept {
        record const& r = records_[number];
        return r.is_used() && !r.is_declared && r.sockets == 0;
    }

    // Forgets it. Precondition: is_idle(number).
    void release(std::uint32_t number) noexcept {
        SOCKETLESS_ASSERT(is_idle(number));
        if (auto const found = numbers_.find(records_[number].name); found != numbers_.end()) numbers_.erase(found);
        records_.free(number);
    }

private:
    struct record : core_detail::slot {
        std::uint32_t sockets = 0;
        std::string name; // borrowed by others
        socketless::admission admission = admission::automatic;
        bool is_declared = false;
    };

    // Nothing has changed if it throws.
    [[nodiscard]] std::uint32_t make(std::string_view name) {
        std::uint32_t const number = records_.make();
        core_detail::rollback undo([&]() noexcept { records_.free(number); });
        records_[number].name = name;
        numbers_.emplace(name, number);
        undo.commit();
        return number;
    }

    core_detail::slot_map<record> records_;
    core_detail::name_map<std::uint32_t> numbers_;
    std::deque<std::pair<namespace_predicate, socketless::admission>> predicates_; // a predicate may add others
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
