// The expected state of a server's sockets and acknowledgements while server_run.hpp drives it.
#pragma once

#include "program.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace fuzz {

class server_ledger {
public:
    explicit server_ledger(server const& s) noexcept : server_(&s) {}

    void asked_one(std::uint64_t id, socket_handle s) { owed_.emplace(id, key_of(s)); }
    void asked_all(std::uint64_t id) { broadcasts_.emplace(id, broadcast()); }
    void accepted(socket_handle s) { check(std::exchange(sockets_.at(key_of(s)), state::accepted) == state::asked); }
    void refused(socket_handle s) { check(sockets_.at(key_of(s)) == state::asked && sockets_.erase(key_of(s)) == 1); }

    void note(socketio::event const& e) {
        auto const k = key_of(e.socket);
        switch (e.type) {
        case event_type::connecting: check(sockets_.emplace(k, state::asked).second); break;
        case event_type::connected: {
            auto const [found, is_new] = sockets_.emplace(k, state::accepted);
            check(found->second == state::accepted);
            found->second = state::connected;
            check(!e.sid.empty() && e.sid == server_->sid(e.socket));
            if (e.recovered) check_recovered(e);
            break;
        }
        case event_type::event:
            check(sockets_.at(k) == state::connected);
            if (e.name() == "count") note_count(e, k);
            break;
        case event_type::ack: note_ack(e, k); break;
        case event_type::acks_complete: {
            auto const found = broadcasts_.find(e.id);
            check(found != broadcasts_.end() && found->second.ended == e.expected &&
                  found->second.answers == e.answers);
            broadcasts_.erase(found);
            break;
        }
        default:
            check(e.type == event_type::disconnected && sockets_.erase(k) == 1);
            for (auto const& [id, owner] : owed_) check(owner != k);
            lost_.insert_or_assign(std::string(e.sid), lost_socket{std::string(e.nsp), rooms_of(e.socket)});
            end_count(e, k);
        }
    }

    void check_end() const { check(sockets_.empty() && owed_.empty() && broadcasts_.empty()); }

    // The next number that a peer sends on a channel: numbers arrive in this order.
    [[nodiscard]] std::uint64_t next_count(std::uint64_t channel) {
        return ++sent_.try_emplace(channel, channel * counts_of_channel).first->second;
    }
    // From now on, numbers on the channel may be missing.
    void stop_counting(std::uint64_t channel) { sent_[channel] = 0; }
    [[nodiscard]] bool counts(std::uint64_t channel) const {
        auto const found = sent_.find(channel);
        return found == sent_.end() || found->second != 0;
    }

private:
    enum class state : std::uint8_t { asked, accepted, connected };

    struct broadcast {
        std::size_t ended = 0;
        std::size_t answers = 0;
        std::set<key> owners = {};
    };

    static constexpr std::uint64_t counts_of_channel = 1'000'000;

    struct lost_socket {
        std::string nsp;
        std::set<std::string> rooms;
    };

    [[nodiscard]] std::set<std::string> rooms_of(socket_handle s) const {
        auto const rooms = server_->rooms_of(s);
        return {rooms.begin(), rooms.end()};
    }

    // A recovered socket is in the same namespace, and in all its rooms.
    void check_recovered(socketio::event const& e) const {
        auto const found = lost_.find(std::string(e.sid));
        check(found != lost_.end() && found->second.nsp == e.nsp);
        check(std::ranges::includes(rooms_of(e.socket), found->second.rooms));
    }

    // Messages that were handed in at once come one by one, in order, without a gap.
    void note_count(socketio::event const& e, key k) {
        auto const number = e.get<std::uint64_t>();
        if (!number || !counts(*number / counts_of_channel)) return;
        auto const [found, is_first] = counts_.try_emplace(k, *number);
        check(is_first || *number == found->second + 1);
        found->second = *number;
    }
    void end_count(socketio::event const& e, key k) {
        auto const last = counts_.extract(k);
        if (last.empty() || e.reason != disconnect_reason::transport_close) return;
        auto const channel = last.mapped() / counts_of_channel;
        check(!counts(channel) || last.mapped() == sent_.at(channel));
    }

    // An acknowledgement that was asked for before its client was let in may end unanswered: before that, or because
    // the client is refused.
    void note_ack(socketio::event const& e, key k) {
        auto const socket = sockets_.find(k);
        bool const is_connected = socket != sockets_.end() && socket->second == state::connected;
        check(is_connected || e.outcome != socketio::ack_outcome::answered);
        if (auto const found = owed_.find(e.id); found != owed_.end()) {
            check(found->second == k);
            owed_.erase(found);
            return;
        }
        auto const found = broadcasts_.find(e.id);
        check(found != broadcasts_.end() && found->second.owners.insert(k).second);
        ++found->second.ended;
        if (e.outcome == socketio::ack_outcome::answered) ++found->second.answers;
    }

    server const* server_;
    std::map<key, state> sockets_;
    std::map<std::uint64_t, key> owed_;
    std::map<std::uint64_t, broadcast> broadcasts_;
    std::map<std::string, lost_socket> lost_;     // by their ids
    std::map<std::uint64_t, std::uint64_t> sent_; // the last number of each channel; 0 if it is not known
    std::map<key, std::uint64_t> counts_;         // the last number that came to a socket
};

} // namespace fuzz
