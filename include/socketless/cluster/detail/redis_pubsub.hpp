// Redis Pub/Sub as the bus: what @socket.io/redis-adapter 8.3.0 does with its two clients.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_bus.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>
#include <socketless/cluster/detail/redis_subscriptions.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/cluster/redis_options.hpp>
#include <socketless/core/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

class redis_pubsub final : public redis_bus {
public:
    explicit redis_pubsub(redis_options const& options)
        : redis_bus(pubsub_layout, options), has_specific_responses_(options.publish_on_specific_response_channel) {}

    result<bool> publish(message const& m) override {
        bool const is_broadcast = m.type == message_type::broadcast;
        std::string bytes;
        if (auto const made = is_broadcast ? encode_redis_broadcast(bytes, m) : encode_redis_request(bytes, m); !made)
            return made.error();
        if (is_too_large(bytes)) return error{errc::message_too_large};
        publish_on(is_broadcast ? broadcast_channel(prefix(), m.nsp, m.rooms) : request_channel(m.nsp),
                   std::move(bytes));
        return false;
    }

    result<void> respond(std::string_view node, message const& m) override {
        std::string bytes;
        if (auto const made = encode_redis_response(bytes, m); !made) return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        // The reference replies to server-side events on the channel of all nodes, whatever its option says.
        bool const is_for_all = m.type == message_type::server_side_emit_response;
        publish_on(response_channel(m.nsp, is_for_all ? std::string_view() : node), std::move(bytes));
        return {};
    }

    // There is no reader: what a caller says of one means nothing.
    void lost(redis_connection connection) override {
        if (connection != redis_connection::reader) redis_bus::lost(connection);
    }

private:
    result<void> encode_request(std::string& bytes, message const& m) override {
        return encode_redis_request(bytes, m);
    }
    [[nodiscard]] std::string request_channel(std::string_view nsp) const override {
        return channel_of(prefix(), of_requests, nsp);
    }
    [[nodiscard]] std::string response_channel(std::string_view nsp, std::string_view node) const {
        bool const is_specific = has_specific_responses_ && !node.empty();
        return channel_of(prefix(), of_responses, nsp, is_specific ? std::optional(node) : std::nullopt);
    }
    void take_reply(std::uint64_t, redis_reply const&) override {}
    [[nodiscard]] bool is_ready() const noexcept override { return true; }

    [[nodiscard]] redis_reader reader() const noexcept {
        return {core().bounds(), core().options().max_rooms, core().uid()};
    }

    void take_broadcast(std::string_view pattern, std::string_view channel, std::string_view bytes) override {
        auto const place = subscriptions().find_pattern(pattern);
        if (!place) return;
        std::string const begin = channel_of(prefix(), of_broadcasts, place->nsp);
        if (!channel.starts_with(begin)) return;
        std::string_view room = channel.substr(begin.size());
        if (!room.empty()) room.remove_suffix(1); // "#"
        // A message for others costs no more than this.
        if (room.empty() ? !core().has_sockets(place->nsp) : !core().has_room(place->nsp, room)) return;
        if (is_too_large(bytes)) return core().note_ignored();
        act_on(reader().read_broadcast(bytes, place->nsp, incoming_));
    }

    void take_message(redis_subscriptions::place const& from, std::string_view bytes) override {
        if (from.channel == redis_channel::requests) {
            auto const read = reader().read_request(bytes, from.nsp, incoming_);
            if (!read && read.error().code == errc::unknown_packet_type && answers_with_names(bytes, from.nsp)) return;
            return is_for_one_socket(read) ? act_on_older() : act_on(read);
        }
        auto const read = reader().read_response(bytes, from.nsp, incoming_,
                                                 [this](std::string_view id) { return core().awaits(id); });
        act_on(read);
        // On the other channel, this is an answer to another node.
        if (read && !*read && from.channel == redis_channel::own_responses) core().note_ignored();
    }

    // Other nodes want to know rooms or ids of sockets.
    [[nodiscard]] bool answers_with_names(std::string_view bytes, std::string_view nsp) {
        auto const type = reader().read_request_for_names(bytes, nsp, incoming_);
        if (!type) return false;
        auto const names =
            *type == redis_type::all_rooms ? core().here().room_names(incoming_.nsp) : core().here().sids_in(incoming_);
        std::string answer;
        bool const is_good =
            encode_redis_names(answer, incoming_.request_id, *type, names).has_value() && !is_too_large(answer);
        if (is_good) publish_on(response_channel(incoming_.nsp, incoming_.uid), std::move(answer));
        is_good ? core().note_received() : core().note_ignored();
        return true;
    }

    void act_on(result<bool> const& read) {
        if (!read) return core().note_ignored();
        if (*read) core().received(incoming_);
    }

    // Only requests of older adapters, for one socket, want to know that these have been done.
    [[nodiscard]] bool is_for_one_socket(result<bool> const& read) const noexcept {
        using enum message_type;
        bool const changes =
            incoming_.type == sockets_join || incoming_.type == sockets_leave || incoming_.type == disconnect_sockets;
        return read && *read && changes && !incoming_.request_id.empty();
    }
    void act_on_older() {
        if (!core().here().has_socket(incoming_.nsp, incoming_.rooms.front())) return; // the socket of another node
        std::string const id = std::exchange(incoming_.request_id, {});
        core().received(incoming_);
        std::string bytes;
        if (!encode_redis_confirmation(bytes, id) || is_too_large(bytes)) return;
        publish_on(response_channel(incoming_.nsp, incoming_.uid), std::move(bytes));
    }

    bool has_specific_responses_;
    message incoming_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
