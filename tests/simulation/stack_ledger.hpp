// What happens to events and sockets, as clients, the server and the wire tell it: holds whole stacks to their
// promises.
#pragma once

#include "simulation/ledger.hpp"
#include "simulation/stack_model.hpp"
#include "simulation/wire_watch.hpp"

#include <socketless/core/result.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// One connection as the wire shows it. Each attempt has its own.
struct link {
    // The joining of a namespace that the wire shows now, and whether its events may come.
    struct place {
        std::optional<std::size_t> at = std::nullopt;
        bool is_open = false;
    };

    link(engineio::revision r, socketio::parser const* parser) : up(r, parser), down(r, parser), revision(r) {}

    wire_watch up;
    wire_watch down;
    engineio::revision revision;
    std::array<place, namespace_count> up_at{};
    std::array<place, namespace_count> down_at{};
    std::array<claim, namespace_count> claims{};
    std::array<std::vector<std::size_t>, namespace_count> joinings{};
    std::array<bool, namespace_count> client_disconnects{};
    // The event that asked for the acknowledgement with this id.
    std::map<std::uint64_t, std::size_t> asked_up{};
    std::map<std::uint64_t, std::size_t> asked_down{};
    // The server's application has ended it.
    bool server_ended = false;
};

class stack_ledger {
public:
    stack_ledger(ledger& base, stack_figures& figures, std::optional<socketio::recovery_options> const& recovery)
        : kept(recovery), base_(base), figures_(figures) {}

    kept_events kept;
    // Missed events may be more than the client's queue takes.
    bool may_not_fit = false;

    void expect(bool good, std::string_view otherwise) { base_.expect(good, otherwise); }
    void fail(std::string_view what) { base_.fail(what); }

    [[nodiscard]] std::deque<joining>& joinings() noexcept { return joinings_; }
    [[nodiscard]] client_socket& socket(std::size_t client, std::size_t nsp) { return sockets_[client][nsp]; }
    [[nodiscard]] link& link_of(std::size_t attempt) { return links_[attempt]; }
    [[nodiscard]] emitted& event(std::size_t number) { return events_[number]; }

    void add_client() { sockets_.emplace_back(); }
    void begin_link(engineio::revision r, socketio::parser const* parser) { links_.emplace_back(r, parser); }

    [[nodiscard]] std::size_t make_event(emitted const& e) {
        events_.push_back(e);
        return events_.size() - 1;
    }

    // The socket of the server, unless it is gone.
    [[nodiscard]] std::optional<std::size_t> joining_of(socket_handle socket) const {
        for (std::size_t const n : live_)
            if (joinings_[n].socket == socket) return n;
        return std::nullopt;
    }
    [[nodiscard]] std::vector<std::size_t> const& live() const noexcept { return live_; }

    //=== what is sent ===//

    // `is_connected`: the client's session says so. It may know of an end that was not polled yet.
    void sent_by_client(std::size_t client, std::size_t number, bool is_connected) {
        emitted& e = events_[number];
        client_socket& s = sockets_[client][e.nsp];
        e.ends = s.ends;
        expect(!is_connected || s.at, "a socket is connected that was not said to be");
        if (e.is_retried)
            s.retried.push_back(number);
        else if (is_connected && s.at)
            joinings_[*s.at].up.sent.push_back(number);
        else
            s.waiting.push_back(number);
    }
    void sent_by_server(std::size_t j, std::size_t number) { joinings_[j].down.sent.push_back(number); }

    //=== what a client hears ===//

    // `is_late`: the server may have joined it to the namespace by itself, before.
    void connected_at_client(std::size_t client, std::size_t attempt, socketio::event const& e, bool is_late) {
        std::size_t const nsp = namespace_of(e.nsp);
        client_socket& s = sockets_[client][nsp];
        if (!s.wanted || s.at || s.is_asked) return fail("a socket is connected that is not to be");
        auto const& all = links_[attempt].joinings[nsp];
        auto const last =
            std::find_if(all.rbegin(), all.rend(), [this](auto n) { return joinings_[n].was_accepted(); });
        if (last == all.rend()) return fail("a socket is connected that the server has not accepted");
        joining& j = joinings_[*last];
        bool const is_told = links_[attempt].revision == engineio::revision::v4;
        expect(e.sid == (is_told ? std::string_view(j.sid) : std::string_view()), "a socket is told another id");
        expect(!j.joined, "a socket is connected twice");
        expect(e.recovered == (is_told && j.is_recovered), "client and server do not agree on a recovery");
        j.joined = true;
        j.down.begins_anywhere = is_late && links_[attempt].joinings[nsp].front() == *last;
        s.at = *last;
        if (!e.recovered) s.knows.offset.clear();
        s.knows.pid = j.pid;
        j.up.sent = std::move(s.waiting);
        s.waiting.clear();
        figures_.buffered += j.up.sent.size();
        ++figures_.connected;
    }

    // Returns the number of the event.
    std::optional<std::size_t> event_at_client(std::size_t client, socketio::event const& e) {
        client_socket& s = sockets_[client][namespace_of(e.nsp)];
        if (!s.at) return fail("an event for a socket that is not connected"), std::nullopt;
        joining& j = joinings_[*s.at];
        auto const found = number_in(e.packet);
        if (!found || !j.down.receive(*found))
            return fail("an event of the server that is not the next one, or comes a second time"), std::nullopt;
        std::size_t const number = *found;
        expect(holds(e, number), "an event of the server that is not what was sent");
        bool const asks = events_[number].asks;
        expect(static_cast<bool>(e.ack) == asks, "an acknowledgement is asked for, or not, against the server's wish");
        if (kept.is_on() && !asks && !events_[number].is_volatile) note_offset(s, e, number);
        figures_.attachments += e.packet.attachments.size();
        ++figures_.events_down;
        return number;
    }

    void disconnected_at_client(std::size_t client, std::size_t attempt, socketio::event const& e) {
        std::size_t const nsp = namespace_of(e.nsp);
        client_socket& s = sockets_[client][nsp];
        if (!s.at) return fail("a socket is disconnected that was not connected");
        joining& j = joinings_[*s.at];
        j.left = true;
        ++s.ends;
        s.at.reset();
        bool const by_server = e.reason == disconnect_reason::io_server_disconnect;
        bool const by_client = e.reason == disconnect_reason::io_client_disconnect;
        expect(by_client == j.client_disconnected, "a socket is disconnected by its client, or not, against its wish");
        expect(!by_server || j.was_disconnected, "a socket is disconnected by the server, which did not");
        expect(!by_server || j.down.is_complete(), "the server disconnects a socket before all has arrived");
        expect(j.attempt == attempt, "a socket outlives its connection");
        if (by_server) s.wanted = false;
        ++figures_.client_reasons[static_cast<std::size_t>(e.reason)];
    }

    //=== what the server hears ===//

    // A client asks to join, or has joined.
    joining& begin_joining(std::size_t attempt, socketio::event const& e) {
        expect(!joining_of(e.socket), "a handle is used twice");
        std::size_t const nsp = namespace_of(e.nsp);
        expect(nsp < unknown_nsp, "a client joins a namespace that is not known");
        link& l = links_[attempt];
        if (!l.joinings[nsp].empty()) {
            auto const before = joinings_[l.joinings[nsp].back()].at;
            expect(before == joining::state::ended || before == joining::state::refused, "a client joins twice");
        }
        l.joinings[nsp].push_back(joinings_.size());
        live_.push_back(joinings_.size());
        joinings_.push_back({.client = base_.at(attempt).client, .attempt = attempt, .nsp = nsp, .socket = e.socket});
        joinings_.back().claim = l.claims[nsp];
        return joinings_.back();
    }

    void accepted(joining& j, std::string_view sid, time_point now) {
        expect(j.at == joining::state::asked, "a socket is accepted twice");
        j.at = joining::state::connected;
        j.sid = sid;
        for (std::size_t const n : live_)
            expect(&joinings_[n] == &j || joinings_[n].sid != sid, "two sockets have one id");
        if (!kept.is_on() || j.claim.pid.empty()) return;
        auto const old = std::find_if(joinings_.rbegin(), joinings_.rend(), [&](joining const& o) {
            return &o != &j && o.persisted && o.pid == j.claim.pid;
        });
        j.is_recovered = old != joinings_.rend() && kept.can_restore(*old, j.claim, j.nsp, now);
        if (j.is_recovered && may_not_fit) j.is_recovered = old->sid == sid;
        if (!j.is_recovered) {
            ++figures_.not_recovered;
            return expect(old == joinings_.rend() || old->sid != sid, "a socket is recovered that should not be");
        }
        expect(old->sid == sid, "a socket is not recovered");
        old->persisted.reset();
        j.pid = j.claim.pid;
        auto const early = std::exchange(j.rooms, old->rooms); // joined before it was accepted
        for (std::string const& room : early)
            if (!j.is_in(room)) j.rooms.push_back(room);
        j.data = old->data;
        j.down.sent = kept.missed(*old, j.claim.offset);
        ++figures_.recovered;
        figures_.replayed += j.down.sent.size();
    }

    void refused(joining& j) {
        j.at = joining::state::refused;
        std::erase_if(live_, [&](std::size_t n) { return &joinings_[n] == &j; });
        ++figures_.refused;
    }

    std::optional<std::size_t> event_at_server(std::size_t n, socketio::event const& e) {
        joining& j = joinings_[n];
        expect(j.is_connected() && !j.was_disconnected, "an event for a socket that is not connected");
        auto const number = number_in(e.packet);
        if (!number) return fail("an event that no client has sent"), std::nullopt;
        emitted& sent = events_[*number];
        expect(sent.is_up && sent.client == j.client && sent.nsp == j.nsp, "an event of another socket");
        expect(holds(e, *number), "an event of a client that is not what was sent");
        expect(!sent.asks || e.ack, "an acknowledgement is not asked for");
        ++sent.received;
        if (sent.is_retried) {
            auto const& all = sockets_[j.client][j.nsp].retried;
            auto const place = static_cast<std::size_t>(std::find(all.begin(), all.end(), *number) - all.begin());
            expect(place >= j.last_retried, "an event that is tried again overtakes another");
            j.last_retried = place;
        } else if (!j.up.receive(*number)) {
            fail("an event of a client that is not the next one, or comes a second time");
        }
        figures_.attachments += e.packet.attachments.size();
        ++figures_.events_up;
        return number;
    }

    void disconnected_at_server(std::size_t n, socketio::event const& e, time_point now) {
        joining& j = joinings_[n];
        using enum disconnect_reason;
        bool const by_server = e.reason == server_namespace_disconnect;
        bool const was_connected = j.at == joining::state::connected || j.at == joining::state::ending;
        expect(by_server == j.was_disconnected, "a socket is disconnected by the server, or not, against its wish");
        if (e.reason == client_namespace_disconnect) {
            expect(links_[j.attempt].client_disconnects[j.nsp], "a client disconnects that did not");
            expect(j.up.is_complete(), "a client disconnects a socket before all has arrived");
        }
        if (kept.is_on() && was_connected && socketio::is_recoverable(e.reason)) j.persisted = now;
        j.at = was_connected ? joining::state::ended : joining::state::refused;
        std::erase(live_, n);
        ++figures_.server_reasons[static_cast<std::size_t>(e.reason)];
    }

    //=== what is in an event or an answer ===//

    static std::optional<std::uint64_t> number_of(socketio::message const& m) {
        auto const args = m.arguments();
        auto a = args.begin();
        if (a == args.end() || ++a == args.end()) return std::nullopt;
        auto const number = (*a).get<std::uint64_t>();
        if (!number) return std::nullopt;
        return *number;
    }
    [[nodiscard]] std::optional<std::size_t> number_in(socketio::message const& m) const {
        auto const number = number_of(m);
        if (!number || *number >= events_.size()) return std::nullopt;
        return static_cast<std::size_t>(*number);
    }

    [[nodiscard]] bool holds(socketio::event const& e, std::size_t number) const {
        content const c = events_[number].contents(number);
        auto const args = e.get<std::string, std::uint64_t, std::vector<byte_view>>();
        if (!args || std::get<0>(*args) != c.text || std::get<1>(*args) != number) return false;
        if (!events_[number].answer_to && !(e.name() == event_name_of(number))) return false;
        auto const same = [](byte_view a, byte_view b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); };
        auto const& found = std::get<2>(*args);
        return std::equal(found.begin(), found.end(), c.attachments.begin(), c.attachments.end(), same);
    }

private:
    // The last argument of a kept event is its offset, which a client remembers.
    void note_offset(client_socket& s, socketio::event const& e, std::size_t number) {
        if (s.knows.pid.empty()) return; // revision 4
        socketless::json::text last;
        for (auto const a : e.args()) last = a.json();
        auto const offset = last.get<std::string>();
        if (!offset || !kept.note_offset(number, *offset))
            return fail("an event that is kept has no offset of its own");
        s.knows.offset = *offset;
    }

    ledger& base_;
    stack_figures& figures_;
    std::deque<emitted> events_;
    std::deque<joining> joinings_;
    std::vector<std::size_t> live_; // of the server's sockets
    std::vector<std::array<client_socket, namespace_count>> sockets_;
    std::deque<link> links_;
};

} // namespace support
