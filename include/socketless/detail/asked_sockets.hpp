// Keeps, within a limit, what an application does with sockets whose clients it has not let in yet.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// An event that was emitted. Its text is not shared yet: recovery may put an offset at its end.
struct early_packet {
    std::string text;
    std::vector<engineio::shared_message> attachments;
    bool asks = false; // for an acknowledgement
};

struct early_acts {
    std::uint32_t connection = 0;
    std::size_t size = 0;
    std::list<std::string> rooms; // as they were joined; their names are borrowed
    std::vector<early_packet> packets;
};

// The acts of all sockets, by their numbers. The sockets of one connection share a limit in bytes.
class asked_sockets {
public:
    [[nodiscard]] bool has_room(std::uint32_t connection, std::size_t bytes, std::size_t limit) const {
        auto const found = sizes_.find(connection);
        std::size_t const used = found == sizes_.end() ? 0 : found->second;
        return bytes <= limit - std::min(limit, used);
    }

    // Precondition: there is room for it.
    void keep(std::uint32_t number, std::uint32_t connection, early_packet packet, std::size_t size) {
        early_acts& acts = acts_of(number, connection);
        acts.packets.push_back(std::move(packet));
        grow(acts, size);
    }

    // False if the socket is in the room already, or this exceeds the limit.
    bool join(std::uint32_t number, std::uint32_t connection, std::string_view room, std::size_t limit) {
        std::size_t const size = sizeof(std::string) + room.size();
        if (is_in(number, room) || !has_room(connection, size, limit)) return false;
        early_acts& acts = acts_of(number, connection);
        acts.rooms.emplace_back(room);
        grow(acts, size);
        return true;
    }

    bool leave(std::uint32_t number, std::string_view room) {
        if (!is_in(number, room)) return false;
        early_acts& acts = all_.find(number)->second;
        shrink(acts, sizeof(std::string) + room.size());
        acts.rooms.erase(std::ranges::find(acts.rooms, room));
        return true;
    }

    [[nodiscard]] bool is_in(std::uint32_t number, std::string_view room) const {
        auto const found = all_.find(number);
        return found != all_.end() && std::ranges::find(found->second.rooms, room) != found->second.rooms.end();
    }
    // Calls f(std::string_view) for each room.
    template <class F>
    void for_each_room(std::uint32_t number, F f) const {
        auto const found = all_.find(number);
        if (found == all_.end()) return;
        for (std::string const& room : found->second.rooms) f(room);
    }

    // Takes out the acts of one socket.
    [[nodiscard]] std::optional<early_acts> take(std::uint32_t number) {
        auto const found = all_.find(number);
        if (found == all_.end()) return std::nullopt;
        auto acts = std::move(found->second);
        all_.erase(found);
        shrink(acts, acts.size);
        return acts;
    }
    void forget(std::uint32_t number) { static_cast<void>(take(number)); }

private:
    // Makes the place where the size is counted too, so that `grow` cannot fail.
    [[nodiscard]] early_acts& acts_of(std::uint32_t number, std::uint32_t connection) {
        early_acts& acts = all_[number];
        acts.connection = connection;
        sizes_.try_emplace(connection, 0);
        return acts;
    }

    void grow(early_acts& acts, std::size_t by) noexcept {
        acts.size += by;
        sizes_.find(acts.connection)->second += by;
    }
    void shrink(early_acts& acts, std::size_t by) {
        acts.size -= by;
        auto const found = sizes_.find(acts.connection);
        if (found == sizes_.end()) return; // nothing was counted
        found->second -= by;
        if (found->second == 0) sizes_.erase(found);
    }

    std::unordered_map<std::uint32_t, early_acts> all_;
    std::unordered_map<std::uint32_t, std::size_t> sizes_; // by connection, without those of 0
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
