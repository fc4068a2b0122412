// The acknowledgements that whole stacks await: each has one outcome, and an answer is one that was given to that
// event.
#pragma once

#include "simulation/stack_ledger.hpp"

#include <socketless/core/time.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class stack_acks {
public:
    using outcome = socketio::ack_outcome;

    stack_acks(stack_ledger& events, stack_figures& figures) : ledger_(events), figures_(figures) {}

    //=== of clients ===//

    // With retries, the deadline of one try does not say when the acknowledgement ends.
    void asked_by_client(std::size_t client, std::uint64_t id, std::size_t number, std::optional<time_point> deadline) {
        if (ledger_.event(number).is_retried) deadline.reset();
        bool const is_new = of_clients_.emplace(std::pair(client, id), awaited{number, deadline}).second;
        ledger_.expect(is_new, "an id of a client's is used twice");
    }

    void ended_at_client(std::size_t client, socketio::event const& e, time_point now) {
        auto const found = of_clients_.find({client, e.id});
        if (found == of_clients_.end()) return ledger_.fail("an acknowledgement ends that a client does not await");
        auto const [number, deadline] = found->second;
        of_clients_.erase(found);
        emitted const& event = ledger_.event(number);
        client_socket& s = ledger_.socket(client, event.nsp);
        ledger_.expect(e.socket == s.handle, "an acknowledgement of another socket");
        bool const is_waiting = std::erase(s.waiting, number) != 0;
        bool const is_one_try = !event.is_retried; // with retries, the wire counts the tries
        if (e.outcome == outcome::answered)
            check_answer(e, number, false, s.at);
        else if (e.outcome == outcome::timed_out && is_one_try)
            ledger_.expect(deadline && now >= *deadline, "an acknowledgement times out before its time");
        else if (is_one_try)
            ledger_.expect(!is_waiting && s.at, "an acknowledgement ends with a socket that is not connected");
        ledger_.expect(!is_waiting || e.outcome == outcome::timed_out, "an event is acknowledged that was not sent");
        ++figures_.client_acks[static_cast<std::size_t>(e.outcome)];
    }

    // No event that was sent there awaits its acknowledgement any more.
    void disconnected_at_client(std::size_t client, std::size_t nsp) {
        for (auto const& [key, a] : of_clients_) {
            if (key.first != client || ledger_.event(a.number).nsp != nsp) continue;
            ledger_.expect(may_stay(client, a.number), "an acknowledgement outlives its socket");
        }
    }

    //=== of the server ===//

    void asked_by_server(std::uint64_t id, std::size_t number, std::vector<std::size_t> joinings,
                         std::optional<time_point> deadline, bool is_broadcast) {
        ledger_.expect(id > last_id_, "an id of the server's is used twice");
        last_id_ = id;
        std::size_t const expected = joinings.size();
        if (expected != 0 || is_broadcast)
            of_server_.emplace(id, asked_of_many{number, deadline, std::move(joinings), expected, 0, is_broadcast});
    }

    // `n` is the socket; empty if the acknowledgement is not awaited.
    void ended_at_server(std::optional<std::size_t> n, socketio::event const& e, time_point now) {
        auto const found = of_server_.find(e.id);
        if (found == of_server_.end() || !n || std::erase(found->second.joinings, *n) == 0)
            return ledger_.fail("an acknowledgement ends that the server does not await");
        asked_of_many& a = found->second;
        if (e.outcome == outcome::answered) {
            ++a.answers;
            check_answer(e, a.number, true, n);
        } else if (e.outcome == outcome::timed_out) {
            ledger_.expect(a.deadline && now >= *a.deadline, "an acknowledgement times out before its time");
        }
        ++figures_.server_acks[static_cast<std::size_t>(e.outcome)];
        if (a.joinings.empty() && !a.is_broadcast) of_server_.erase(found);
    }

    void completed_at_server(socketio::event const& e) {
        auto const found = of_server_.find(e.id);
        if (found == of_server_.end() || !found->second.is_broadcast)
            return ledger_.fail("the acknowledgements of no broadcast are complete");
        asked_of_many const& a = found->second;
        ledger_.expect(a.joinings.empty(), "the acknowledgements of a broadcast are said to be complete");
        ledger_.expect(a.expected == e.expected && a.answers == e.answers, "acknowledgements are not counted well");
        of_server_.erase(found);
    }

    void disconnected_at_server(std::size_t n) {
        for (auto const& [id, a] : of_server_)
            ledger_.expect(!contains(a.joinings, n), "an acknowledgement outlives its socket");
    }

    // How many acknowledgements a connection owes.
    [[nodiscard]] std::size_t owed(std::size_t attempt) {
        std::size_t sum = 0;
        for (auto const& [id, a] : of_server_)
            for (std::size_t const n : a.joinings) sum += ledger_.joinings()[n].attempt == attempt ? 1u : 0u;
        return sum;
    }

    //=== all ===//

    void check_client_deadlines(std::size_t client, time_point now) {
        for (auto const& [key, a] : of_clients_)
            if (key.first == client) check_deadline(a.deadline, now);
    }
    void check_server_deadlines(time_point now) {
        for (auto const& [id, a] : of_server_)
            if (!a.joinings.empty()) check_deadline(a.deadline, now);
    }

    // Whether an answer is on its way to somebody who is there.
    [[nodiscard]] bool is_answer_under_way(std::size_t client) {
        for (auto const& [key, a] : of_clients_)
            if (key.first == client && is_answered_to(client, ledger_.event(a.number))) return true;
        for (auto const& [id, a] : of_server_)
            for (std::size_t const n : a.joinings)
                if (ledger_.joinings()[n].client == client && is_answered_by(a.number, n)) return true;
        return false;
    }
    void answered_by(std::size_t number, std::size_t joining) { answered_.emplace_back(number, joining); }

    void check_end() {
        for (auto const& [key, a] : of_clients_)
            ledger_.expect(may_stay(key.first, a.number), "a client awaits an acknowledgement at the end");
        ledger_.expect(of_server_.empty(), "the server awaits an acknowledgement at the end");
    }

private:
    struct awaited {
        std::size_t number;
        std::optional<time_point> deadline;
    };
    struct asked_of_many {
        std::size_t number;
        std::optional<time_point> deadline;
        std::vector<std::size_t> joinings;
        std::size_t expected;
        std::size_t answers;
        bool is_broadcast;
    };

    static bool contains(std::vector<std::size_t> const& all, std::size_t n) {
        return std::find(all.begin(), all.end(), n) != all.end();
    }

    // A disconnect does not end the acknowledgements of events that have yet to be sent, or sent again.
    [[nodiscard]] bool may_stay(std::size_t client, std::size_t number) {
        emitted const& e = ledger_.event(number);
        return e.is_retried || contains(ledger_.socket(client, e.nsp).waiting, number);
    }

    [[nodiscard]] bool is_answered_to(std::size_t client, emitted const& e) {
        return e.is_answered && ledger_.socket(client, e.nsp).at;
    }
    [[nodiscard]] bool is_answered_by(std::size_t number, std::size_t joining) const {
        return std::find(answered_.begin(), answered_.end(), std::pair(number, joining)) != answered_.end();
    }

    void check_deadline(std::optional<time_point> deadline, time_point now) {
        ledger_.expect(!deadline || *deadline > now, "an acknowledgement is awaited beyond its time");
    }

    void check_answer(socketio::event const& e, std::size_t number, bool is_up, std::optional<std::size_t> n) {
        auto const found = ledger_.number_in(e.packet);
        if (!found || !n) return ledger_.fail("an answer that nobody has given");
        emitted const& answer = ledger_.event(*found);
        bool const same = answer.answer_to == number && answer.is_up == is_up;
        ledger_.expect(same && answer.client == ledger_.joinings()[*n].client, "an answer to another event");
        ledger_.expect(ledger_.holds(e, *found), "an answer that is not what was given");
    }

    stack_ledger& ledger_;
    stack_figures& figures_;
    std::map<std::pair<std::size_t, std::uint64_t>, awaited> of_clients_;
    std::map<std::uint64_t, asked_of_many> of_server_;
    std::uint64_t last_id_ = 0;
    std::vector<std::pair<std::size_t, std::size_t>> answered_; // events, and the sockets that have answered them
};

} // namespace support
