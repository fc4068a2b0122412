// Rooms: who is in which, and whom a broadcast is for.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/name_map.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/shrink.hpp>
#include <socketless/core/hash_key.hpp>
#include <socketless/socketio/detail/memberships.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// The rooms of any number of namespaces. The caller gives members (sockets, as a rule) and namespaces small, dense
/// numbers: memory is proportional to the greatest. A room exists while a member is in it.
///
/// If there are very many members, a member of one room takes about 60 bytes, up to twice that just after a buffer has
/// grown. A call takes constant time unless it says otherwise, on average over the names of rooms, whoever chose them.
class rooms {
public:
    /// A member, by the number that the caller gives it.
    using member = std::uint32_t;

    /// Peers often choose the names of rooms. With a random key they cannot choose names that are slow to find.
    explicit rooms(hash_key const& key = {}) : key_(key) {}
    /// Neither copied nor moved: memberships refer to the rooms.
    rooms(rooms const&) = delete;
    rooms& operator=(rooms const&) = delete;

    //=== who is where ===//

    /// Makes `m` a member of a namespace. Precondition: it is not in a namespace.
    void enter(std::uint32_t nsp, member m) {
        SOCKETLESS_ASSERT(nsp != none && !namespace_of(m));
        while (nsp >= namespaces_.size()) namespaces_.emplace_back(key_);
        if (m >= records_.size()) records_.resize(std::size_t{m} + 1);
        auto& members = namespaces_[nsp].members;
        members.push_back(m);
        records_[m].nsp = nsp;
        records_[m].position = static_cast<std::uint32_t>(members.size() - 1);
    }

    /// Takes `m` out of all its rooms and its namespace. Harmless if it is not in one. Linear in its rooms.
    void exit(member m) noexcept {
        if (!namespace_of(m)) return;
        record& r = records_[m];
        while (r.first != none) remove(m, r.first);
        auto& members = namespaces_[r.nsp].members;
        records_[members.back()].position = r.position;
        members[r.position] = members.back();
        members.pop_back();
        core_detail::shrink(members);
        r.nsp = none;
    }

    /// Puts `m` into a room of its namespace; false if it is there already. Precondition: `m` is in a namespace.
    bool join(member m, std::string_view room) {
        SOCKETLESS_ASSERT(namespace_of(m));
        auto& all = namespaces_[records_[m].nsp].rooms;
        auto found = all.find(room);
        if (found == all.end()) {
            found = all.try_emplace(std::string(room)).first;
            found->second.name = found->first;
        }
        named_room& joined = found->second;
        if (memberships_.find(m, &joined) != none) return false;
        core_detail::rollback undo_room([&]() noexcept {
            if (joined.members.empty()) vanish(all, joined);
        });
        auto const position = static_cast<std::uint32_t>(joined.members.size());
        joined.members.push_back(m);
        core_detail::rollback undo_member([&]() noexcept { joined.members.pop_back(); });
        memberships_.insert(records_[m].first, m, &joined, position);
        undo_member.commit();
        undo_room.commit();
        ++records_[m].rooms;
        return true;
    }

    /// Takes `m` out of a room; false if it is not there.
    bool leave(member m, std::string_view room) noexcept {
        std::uint32_t const i = find(m, room);
        if (i == none) return false;
        remove(m, i);
        return true;
    }

    //=== what there is ===//

    /// The namespace that `m` is in, if any.
    [[nodiscard]] std::optional<std::uint32_t> namespace_of(member m) const noexcept {
        if (m >= records_.size() || records_[m].nsp == none) return std::nullopt;
        return records_[m].nsp;
    }

    /// Whether `m` is in the room. Constant time.
    [[nodiscard]] bool contains(member m, std::string_view room) const noexcept { return find(m, room) != none; }

    /// The members of a namespace, in no order. Valid until the next enter or exit.
    [[nodiscard]] std::span<member const> members(std::uint32_t nsp) const noexcept {
        if (nsp >= namespaces_.size()) return {};
        return namespaces_[nsp].members;
    }

    /// The members of a room, in no order; empty if there is no such room. Valid until the next join, leave or exit.
    [[nodiscard]] std::span<member const> members(std::uint32_t nsp, std::string_view room) const noexcept {
        if (nsp >= namespaces_.size()) return {};
        auto const found = namespaces_[nsp].rooms.find(room);
        if (found == namespaces_[nsp].rooms.end()) return {};
        return found->second.members;
    }

    /// How many rooms `m` is in.
    [[nodiscard]] std::size_t rooms_of(member m) const noexcept { return m < records_.size() ? records_[m].rooms : 0; }

    /// How many rooms a namespace has.
    [[nodiscard]] std::size_t room_count(std::uint32_t nsp) const noexcept {
        return nsp < namespaces_.size() ? namespaces_[nsp].rooms.size() : 0;
    }

    /// The names of a namespace's rooms, in no order. Valid until the next leave or exit. Linear in their number.
    [[nodiscard]] std::vector<std::string_view> room_names(std::uint32_t nsp) const {
        std::vector<std::string_view> names;
        if (nsp >= namespaces_.size()) return names;
        names.reserve(room_count(nsp));
        for (auto const& [name, room] : namespaces_[nsp].rooms) names.emplace_back(name);
        return names;
    }

    /// Calls f(std::string_view) with the name of each room that `m` is in, in the order in which it joined. `f` may
    /// not change the rooms.
    template <class F>
    void for_each_room(member m, F f) const {
        if (!namespace_of(m)) return;
        std::uint32_t const first = records_[m].first;
        if (first == none) return;
        std::uint32_t i = first;
        do {
            f(memberships_[i].room->name);
            i = memberships_[i].next;
        } while (i != first);
    }

    //=== broadcasts ===//

    /// Calls f(member) once for each member of a namespace that is in one of the rooms `to` (anywhere, if `to` is
    /// empty), in none of the rooms `except`, and not one of `except_members`. `f` may call const functions
    /// only. Linear in the members of the rooms that are named. Does not allocate. If `f.prepare(member)` is there, it
    /// may be called for a member some time before `f` is, so that its memory is at hand then.
    template <class F>
    void for_each(std::uint32_t nsp, std::span<std::string_view const> to, std::span<std::string_view const> except,
                  std::span<member const> except_members, F f) {
        if (to.size() > 1 || !except.empty() || except_members.size() > few) {
            for_each_marked(nsp, to, except, except_members, f);
            return;
        }
        auto const candidates = to.empty() ? members(nsp) : members(nsp, to.front());
        if (except_members.empty()) {
            if constexpr (requires { f.prepare(member()); }) {
                for (std::size_t i = 0; i != candidates.size(); ++i) {
                    if (i + ahead < candidates.size()) f.prepare(candidates[i + ahead]);
                    f(candidates[i]);
                }
            } else {
                for (member const m : candidates) f(m);
            }
            return;
        }
        for (member const m : candidates)
            if (std::ranges::find(except_members, m) == except_members.end()) f(m);
    }
    template <class F>
    void for_each(std::uint32_t nsp, std::span<std::string_view const> to, std::span<std::string_view const> except,
                  F f) {
        for_each(nsp, to, except, {}, f);
    }

private:
    struct named_room {
        std::vector<member> members;
        std::string_view name; // the key in the map
    };

    using room_map = core_detail::name_map<named_room>;

    struct namespace_record {
        std::vector<member> members;
        room_map rooms;

        explicit namespace_record(hash_key const& key) : rooms(key) {}
    };

    static constexpr std::uint32_t none = detail::memberships<named_room>::none;
    static constexpr std::size_t ahead = 8; // members for which `f` prepares
    static constexpr std::size_t few = 4;   // that are compared with each member rather than marked

    struct record {
        std::uint32_t nsp = none;
        std::uint32_t position = 0; // in the namespace's list of members
        std::uint32_t first = none; // of its memberships
        std::uint32_t rooms = 0;    // how many those are
        std::uint32_t mark = 0;
    };

    // The membership, or `none`.
    [[nodiscard]] std::uint32_t find(member m, std::string_view room) const noexcept {
        if (!namespace_of(m)) return none;
        auto const& all = namespaces_[records_[m].nsp].rooms;
        auto const found = all.find(room);
        return found == all.end() ? none : memberships_.find(m, &found->second);
    }

    void remove(member m, std::uint32_t i) noexcept {
        named_room& room = *memberships_[i].room;
        std::uint32_t const position = memberships_[i].position;
        member const last = room.members.back();
        memberships_[memberships_.find(last, &room)].position = position;
        room.members[position] = last;
        room.members.pop_back();
        core_detail::shrink(room.members);
        memberships_.erase(records_[m].first, i);
        --records_[m].rooms;
        if (room.members.empty()) vanish(namespaces_[records_[m].nsp].rooms, room);
    }

    static void vanish(room_map& all, named_room const& room) noexcept {
        if (auto const found = all.find(room.name); found != all.end()) all.erase(found);
        all.shrink();
    }

    // Marks each member that it has visited or leaves out with a number of this call's own.
    template <class F>
    void for_each_marked(std::uint32_t nsp, std::span<std::string_view const> to,
                         std::span<std::string_view const> except, std::span<member const> except_members, F& f) {
        next_mark();
        for (std::string_view const room : except)
            for (member const m : members(nsp, room)) records_[m].mark = mark_;
        for (member const m : except_members)
            if (m < records_.size()) records_[m].mark = mark_;
        auto const visit = [&](std::span<member const> candidates) {
            for (member const m : candidates) {
                if (records_[m].mark == mark_) continue;
                records_[m].mark = mark_;
                f(m);
            }
        };
        if (to.empty()) visit(members(nsp));
        for (std::string_view const room : to) visit(members(nsp, room));
    }

    void next_mark() noexcept {
        if (++mark_ != 0) return;
        for (record& r : records_) r.mark = 0; // the numbers begin again
        mark_ = 1;
    }

    hash_key key_;
    std::vector<record> records_;             // by member
    std::deque<namespace_record> namespaces_; // by number
    detail::memberships<named_room> memberships_;
    std::uint32_t mark_ = 0;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
