// Checks what whole stacks put on the wire: packets of joined namespaces, in the order in which they were sent, each
// event once or as often as it may be tried, each answer once.
#pragma once

#include "simulation/stack_ledger.hpp"

#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace support {

class stack_wire {
public:
    explicit stack_wire(stack_ledger& all, stack_figures& figures) : ledger_(all), figures_(figures) {}

    // A packet of the client; `retries` is how often it may send an event again.
    void up(std::size_t client, std::size_t attempt, std::uint32_t retries, socketio::message const& m) {
        using enum socketio::packet_type;
        std::size_t const nsp = namespace_of(m.packet.nsp);
        if (nsp == namespace_count) return ledger_.fail("a client sends to an unknown namespace");
        link& l = ledger_.link_of(attempt);
        switch (m.packet.type) {
        case connect: return client_connects(client, l, nsp, m);
        case disconnect:
            ledger_.expect(l.client_disconnects[nsp], "a client leaves a namespace by itself");
            l.up_at[nsp].is_open = false;
            return;
        case event:
        case binary_event: return client_emits(client, l, nsp, retries, m);
        case ack:
        case binary_ack: return answers(l.asked_down, nsp, m);
        case connect_error: return ledger_.fail("a client refuses a connection");
        }
    }

    void down(std::size_t attempt, socketio::message const& m) {
        using enum socketio::packet_type;
        std::size_t const nsp = namespace_of(m.packet.nsp);
        if (nsp == namespace_count) return ledger_.fail("the server sends to a namespace that there is not");
        link& l = ledger_.link_of(attempt);
        link::place& place = l.down_at[nsp];
        switch (m.packet.type) {
        case connect: return server_accepts(l, nsp, m);
        case disconnect:
            if (!place.is_open) return ledger_.fail("the server disconnects a socket that is not connected");
            ledger_.expect(ledger_.joinings()[*place.at].was_disconnected, "the server disconnects a socket by itself");
            place.is_open = false;
            return;
        case event:
        case binary_event: return server_emits(l, nsp, m);
        case ack:
        case binary_ack: return answers(l.asked_up, nsp, m);
        case connect_error:
            ledger_.expect(!place.is_open || !ledger_.joinings()[*place.at].is_connected(),
                           "a socket is refused that is connected");
            place.is_open = false;
            return;
        }
    }

private:
    void client_connects(std::size_t client, link& l, std::size_t nsp, socketio::message const& m) {
        auto const at = l.up_at[nsp].at;
        ledger_.expect(!l.up_at[nsp].is_open || ledger_.joinings()[*at].left, "a client joins twice");
        l.up_at[nsp].is_open = false;
        if (l.revision == engineio::revision::v3) return;
        auto const text_of = [&](std::string_view key) {
            auto const value = m.packet.data.find(key);
            return value ? value->get<std::string>().value_or("") : std::string();
        };
        l.claims[nsp] = {text_of("pid"), text_of("offset")};
        claim const& known = ledger_.socket(client, nsp).knows;
        bool const same = l.claims[nsp].pid == known.pid && l.claims[nsp].offset == known.offset;
        ledger_.expect(same, "a client does not say where it was");
    }

    void client_emits(std::size_t client, link& l, std::size_t nsp, std::uint32_t retries, socketio::message const& m) {
        auto const number = ledger_.number_in(m);
        if (!number) return ledger_.fail("a client sends an event that nobody has emitted");
        emitted& e = ledger_.event(*number);
        ledger_.expect(e.is_up && e.client == client && e.nsp == nsp, "a client sends an event of another");
        if (m.packet.id) note_question(l.asked_up, *m.packet.id, *number);
        link::place& place = l.up_at[nsp];
        auto const joined = last(l.joinings[nsp], [](joining const& j) { return j.joined; });
        if (!joined || (!place.is_open && place.at == joined))
            return ledger_.fail("a client sends an event for a namespace that it has not joined");
        place = {joined, true};
        ++e.sent;
        if (e.is_retried) {
            if (e.sent > 1) ++figures_.tried_again;
            ledger_.expect(e.sent <= retries + 1, "an event is tried more often than it may be");
            return check_turn(ledger_.socket(client, nsp), *number, retries);
        }
        ledger_.expect(m.packet.id.has_value() == e.asks, "an event asks for an acknowledgement, or not");
        check_order(ledger_.joinings()[*place.at].up, *number);
    }

    void server_emits(link& l, std::size_t nsp, socketio::message const& m) {
        auto const number = ledger_.number_in(m);
        if (!number) return ledger_.fail("the server sends an event that nobody has emitted");
        link::place const& place = l.down_at[nsp];
        if (!place.is_open) return ledger_.fail("the server sends an event to a socket that is not connected");
        joining& j = ledger_.joinings()[*place.at];
        if (m.packet.id) note_question(l.asked_down, *m.packet.id, *number);
        check_order(j.down, *number);
    }

    void server_accepts(link& l, std::size_t nsp, socketio::message const& m) {
        link::place& place = l.down_at[nsp];
        auto const& all = l.joinings[nsp];
        auto const next = std::find_if(all.begin(), all.end(), [&](std::size_t n) {
            return (!place.at || n > *place.at) && ledger_.joinings()[n].was_accepted();
        });
        if (next == all.end()) return ledger_.fail("a client is told that it is connected, which it is not");
        place = {*next, true};
        if (l.revision == engineio::revision::v3) return;
        joining& j = ledger_.joinings()[*place.at];
        auto const sid = m.packet.data.find("sid");
        ledger_.expect(sid && sid->equals(j.sid), "a client is told the id of another socket");
        auto const pid = m.packet.data.find("pid");
        ledger_.expect(pid.has_value() == ledger_.kept.is_on(), "a secret for recovery, or none");
        if (pid) j.pid = pid->get<std::string>().value_or("");
        if (j.is_recovered) ledger_.expect(j.pid == j.claim.pid, "a client that was recovered has another secret");
    }

    // The last joining for which `is_it` holds.
    template <class Is>
    std::optional<std::size_t> last(std::vector<std::size_t> const& all, Is is_it) {
        auto const found = std::find_if(all.rbegin(), all.rend(), [&](auto n) { return is_it(ledger_.joinings()[n]); });
        if (found == all.rend()) return std::nullopt;
        return *found;
    }

    void note_question(std::map<std::uint64_t, std::size_t>& questions, std::uint64_t id, std::size_t number) {
        ledger_.expect(questions.emplace(id, number).second, "two events of a connection ask for one acknowledgement");
    }

    void answers(std::map<std::uint64_t, std::size_t>& questions, std::size_t nsp, socketio::message const& m) {
        auto const found = questions.find(*m.packet.id);
        auto const number = ledger_.number_in(m);
        if (found == questions.end() || !number) return ledger_.fail("an answer that was not asked for, or not given");
        emitted const& answer = ledger_.event(*number);
        ledger_.expect(answer.answer_to == found->second && ledger_.event(found->second).nsp == nsp,
                       "an answer to another event");
        questions.erase(found);
    }

    void check_order(stream& s, std::size_t number) {
        bool const is_next = s.wired < s.sent.size() && s.sent[s.wired] == number;
        ledger_.expect(is_next, "an event is sent that is not the next one, or a second time");
        ++s.wired;
    }

    // Checks that each event emitted before was acknowledged, or tried as often as it may be.
    void check_turn(client_socket& s, std::size_t number, std::uint32_t retries) {
        auto const place =
            static_cast<std::size_t>(std::find(s.retried.begin(), s.retried.end(), number) - s.retried.begin());
        if (place == s.retried.size() || place < s.last_tried) return ledger_.fail("an event is tried out of its turn");
        for (; s.last_tried != place; ++s.last_tried) {
            emitted const& before = ledger_.event(s.retried[s.last_tried]);
            // Tries may have been lost, with the connection, before they were on the wire.
            bool const has_failed = before.sent == retries + 1 || before.ends != s.ends;
            ledger_.expect(before.is_answered || has_failed, "an event does not wait for the one before");
        }
    }

    stack_ledger& ledger_;
    stack_figures& figures_;
};

} // namespace support
