// What the application of a server does, drawn from the seed: it lets clients in or not, emits, answers and broadcasts,
// moves sockets from room to room and disconnects them, and tells the ledger.
#pragma once

#include "simulation/stack_clients.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class stack_application : protected stack_clients {
protected:
    using stack_clients::stack_clients;
    ~stack_application() = default;

    //=== who may join ===//

    void decide(std::size_t n) {
        auto const way = random_.below(20);
        if (way < 10) return accept(n);
        if (way < 13) return refuse(n);
        if (way == 19) {
            model_.joinings()[n].is_ignored = true;
            return;
        }
        later([this, n, way] {
            as_server([this, n, way] {
                if (way >= 17) return refuse(n);
                accept(n);
                if (model_.joinings()[n].is_connected()) ++stack_figures_.accepted_later;
            });
        });
    }

    void accept(std::size_t n) {
        joining& j = model_.joinings()[n];
        auto const done = server_.accept(j.socket);
        note("server: accepts ", namespace_names[j.nsp], " of client ", j.client, done ? "" : ": too late");
        ledger_.expect(done.has_value() == (j.at == joining::state::asked) || is_in_event_,
                       "a socket is accepted, or not");
        if (done) model_.accepted(j, server_.sid(j.socket), now_);
        ledger_.expect(!server_.accept(j.socket), "a socket is accepted twice");
        if (done && random_.one_in(3)) server_emits(n);
    }

    void refuse(std::size_t n) {
        joining& j = model_.joinings()[n];
        std::string const why = "not you: " + std::to_string(n);
        auto const done = random_.one_in(2) ? server_.refuse(j.socket, why)
                                            : server_.refuse(j.socket, why, socketless::json::object("joining", n));
        note("server: refuses ", namespace_names[j.nsp], " of client ", j.client, done ? "" : ": too late");
        ledger_.expect(done.has_value() == (j.at == joining::state::asked) || is_in_event_,
                       "a socket is refused, or not");
        if (done) model_.refused(j);
    }

    //=== rooms ===//

    void change_rooms(std::size_t n) {
        joining& j = model_.joinings()[n];
        // One that is being asked is in its rooms once it is accepted.
        bool const is_there = j.is_connected() || (j.at == joining::state::asked && !j.is_lost);
        std::string const room(random_.pick(room_names));
        auto const found = std::find(j.rooms.begin(), j.rooms.end(), room);
        bool const was_in = found != j.rooms.end();
        if (random_.one_in(3)) {
            bool const left = server_.leave(j.socket, room);
            ledger_.expect(left == (was_in && is_there) || (is_in_event_ && !left), "a room is left, or not");
            if (left && was_in) j.rooms.erase(found);
        } else {
            bool const joined = server_.join(j.socket, room);
            ledger_.expect(joined == (!was_in && is_there) || (is_in_event_ && !joined), "a room is joined, or not");
            if (joined) j.rooms.push_back(room);
        }
        if (j.is_connected() && random_.one_in(3))
            server_.set_data(j.socket, std::make_shared<std::uint64_t>(j.data = ++last_data_));
    }

    //=== events ===//

    void server_emits(std::size_t n) {
        joining& j = model_.joinings()[n];
        // What is kept until a client is accepted has its tests in tests/stack/server_admission_test.cpp.
        if (j.at == joining::state::asked) return;
        auto const kind = random_.below(8);
        emitted e = draw_event(j.nsp);
        e.is_volatile = kind == 0;
        e.asks = kind >= 1 && kind <= 3;
        std::size_t const number = model_.make_event(e);
        content const held = e.contents(number);
        auto const name = event_name_of(number);
        note("server: emits ", number, " to ", j.sid, e.is_volatile ? ", volatile" : "", e.asks ? ", asks" : "");
        if (e.is_volatile) {
            auto const* const c = server_.connection(j.socket);
            bool const must_wait = c == nullptr || !c->writable();
            auto const done = server_.emit_volatile(j.socket, name, held.text, number, held.attachments);
            ledger_.expect(!done || !must_wait, "a volatile event waits");
            return emitted_to(done, n, number);
        }
        if (!e.asks) return emitted_to(server_.emit(j.socket, name, held.text, number, held.attachments), n, number);
        auto const timeout = draw_timeout();
        bool const may_ask = acks_.owed(j.attempt) < server_.options().sockets.max_pending_acks;
        auto const id = server_.emit_with_ack(j.socket, timeout, name, held.text, number, held.attachments);
        if (!id) return emitted_to(id.error(), n, number);
        ledger_.expect(may_ask, "more acknowledgements are asked for than may be");
        acks_.asked_by_server(*id, number, {n}, timeout ? std::optional(now_ + *timeout) : std::nullopt, false);
        emitted_to({}, n, number);
    }

    void emitted_to(socketless::result<void> done, std::size_t n, std::size_t number) {
        using enum socketless::errc;
        joining const& j = model_.joinings()[n];
        emitted const& e = model_.event(number);
        bool const is_there = done || done.error().code != not_connected;
        bool const can_recover = model_.link_of(j.attempt).revision == engineio::revision::v4;
        bool const is_kept = model_.kept.is_on() && can_recover && !e.asks && !e.is_volatile && is_there;
        if (is_kept) model_.kept.keep(number, j.nsp, {.to = {j.sid}}, now_);
        if (done && is_kept && !j.is_connected()) return; // for when it comes back
        if (done) {
            ledger_.expect(j.is_connected(), "an event is sent to a socket that is not connected");
            if (e.is_volatile) ++stack_figures_.volatile_down;
            return model_.sent_by_server(n, number);
        }
        auto const code = done.error().code;
        note("server: ", name(code));
        if (code == would_wait) {
            ledger_.expect(e.is_volatile, "an event waits that is not volatile");
            ++stack_figures_.dropped_down;
        } else if (code == too_many_acks) {
            ledger_.expect(acks_.owed(j.attempt) >= server_.options().sockets.max_pending_acks, "an event may not ask");
            ++stack_figures_.too_many_acks;
        } else if (code == queue_overflow) {
            ledger_.expect(is_uncertain_, "a queue overflows that cannot");
        } else {
            ledger_.expect(is_in_event_ || is_uncertain_ || !j.is_connected(), "the server cannot emit an event");
        }
    }

    void server_answers(question q) {
        bool const is_retried = model_.event(q.number).is_retried;
        if (random_.one_in(is_retried ? 10 : 4)) return;
        if (!random_.one_in(3)) return server_acknowledges(q);
        auto const kept = std::make_shared<question>(std::move(q));
        later([this, kept] { as_server([this, kept] { server_acknowledges(*kept); }); });
    }

    void server_acknowledges(question& q) {
        joining const& j = model_.joinings()[q.joining];
        std::size_t const n = draw_answer(j.client, q, false);
        content const held = model_.event(n).contents(n);
        auto const done = server_.acknowledge(q.request, held.text, n, held.attachments);
        note("server: answers ", q.number, " with ", n, done ? "" : ": ", done ? "" : name(done.error().code));
        if (!done) return acknowledged_too_late(done.error().code);
        ledger_.expect(j.is_connected(), "an event is acknowledged for a socket that is gone");
        model_.event(q.number).is_answered = true;
        auto const again = server_.acknowledge(q.request, n);
        ledger_.expect(!again && again.error().code == socketless::errc::already_acknowledged,
                       "two answers to one event");
    }

    //=== broadcasts ===//

    void broadcast() {
        bool const is_any = model_.live().empty() || random_.one_in(4);
        std::size_t const nsp =
            is_any ? random_.below(unknown_nsp) : model_.joinings()[random_.pick(model_.live())].nsp;
        audience_names who;
        auto const whom = draw_audience(nsp, who);
        std::vector<std::size_t> receivers;
        for (std::size_t const n : model_.live()) {
            joining const& j = model_.joinings()[n];
            if (j.is_connected() && j.nsp == nsp && who.includes(j)) receivers.push_back(n);
        }
        if (!is_in_event_) ledger_.expect(whom.size() == receivers.size(), "an audience has another size");
        // Whether a namespace is there that nobody is in only matters where few events are kept.
        auto const in_namespace = [&](std::size_t n) { return model_.joinings()[n].nsp == nsp; };
        bool const is_there =
            nsp <= automatic_nsp || std::any_of(model_.live().begin(), model_.live().end(), in_namespace);
        if (!is_there && model_.kept.is_short()) return;
        auto const kind = random_.below(20);
        if (kind == 0 && !is_in_event_) return disconnect(whom, receivers);
        if (kind <= 2 && !is_in_event_) return change_rooms(whom, receivers);
        emitted e = draw_event(nsp);
        e.is_volatile = kind >= 15;
        e.asks = kind >= 10 && !e.is_volatile && !is_in_event_;
        std::size_t const n = model_.make_event(e);
        note("server: broadcasts ", n, " in ", namespace_names[nsp], " to ", receivers.size(), " sockets",
             e.is_volatile ? ", volatile" : "", e.asks ? ", asks" : "");
        if (e.asks) return broadcast_with_ack(whom, n, receivers);
        content const held = e.contents(n);
        if (e.is_volatile)
            std::erase_if(receivers, [&](std::size_t r) {
                auto const* const c = server_.connection(model_.joinings()[r].socket);
                return c == nullptr || !c->writable();
            });
        else if (model_.kept.is_on())
            model_.kept.keep(n, nsp, who, now_);
        auto const name = event_name_of(n);
        auto const count = e.is_volatile       ? whom.emit_volatile(name, held.text, n, held.attachments)
                           : name == "message" ? whom.send(held.text, n, held.attachments)
                                               : whom.emit(name, held.text, n, held.attachments);
        for (std::size_t const r : receivers) model_.sent_by_server(r, n);
        bool const is_exact = !is_in_event_ && !is_uncertain_;
        ledger_.expect(count && (is_exact ? *count == receivers.size() : *count <= receivers.size()),
                       "a broadcast has other receivers");
        ++(e.is_volatile ? stack_figures_.broadcasts_volatile : stack_figures_.broadcasts);
        stack_figures_.receivers += receivers.size();
    }

    void broadcast_with_ack(socketless::audience const& whom, std::size_t n, std::vector<std::size_t> receivers) {
        content const held = model_.event(n).contents(n);
        std::erase_if(receivers, [this](std::size_t r) {
            return acks_.owed(model_.joinings()[r].attempt) >= server_.options().sockets.max_pending_acks;
        });
        auto const timeout = draw_timeout();
        auto const id = whom.emit_with_ack(timeout, event_name_of(n), held.text, n, held.attachments);
        if (!id) return ledger_.fail("a broadcast cannot ask for acknowledgements");
        for (std::size_t const r : receivers) model_.sent_by_server(r, n);
        acks_.asked_by_server(*id, n, receivers, timeout ? std::optional(now_ + *timeout) : std::nullopt, true);
        ++stack_figures_.broadcasts_acknowledged;
    }

    // It borrows the names.
    socketless::audience draw_audience(std::size_t nsp, audience_names& who) {
        auto whom = server_.in(namespace_names[nsp]);
        auto const draw_name = [this]() -> std::string_view {
            if (model_.joinings().empty() || !random_.one_in(4)) return random_.pick(room_names);
            return random_.pick(model_.joinings()).sid;
        };
        for (std::size_t left = random_.below(3); left != 0; --left) {
            auto const name = draw_name();
            who.to.emplace_back(name);
            whom.to(name);
        }
        for (std::size_t left = random_.one_in(2) ? random_.below(3) : 0; left != 0; --left) {
            auto const name = draw_name();
            who.except.emplace_back(name);
            whom.except(name);
        }
        if (random_.one_in(4) && !model_.live().empty()) {
            joining const& j = model_.joinings()[random_.pick(model_.live())];
            if (j.was_accepted()) who.except.push_back(j.sid);
            whom.except(j.socket);
        }
        return whom;
    }

    void change_rooms(socketless::audience const& whom, std::vector<std::size_t> const& members) {
        auto const room = random_.pick(room_names);
        bool const is_joined = random_.one_in(2);
        note("server: ", members.size(), is_joined ? " sockets join " : " sockets leave ", room);
        is_joined ? whom.join(room) : whom.leave(room);
        for (std::size_t const n : members) {
            auto& rooms = model_.joinings()[n].rooms;
            bool const was_in = std::find(rooms.begin(), rooms.end(), room) != rooms.end();
            if (is_joined && !was_in) rooms.emplace_back(room);
            if (!is_joined) std::erase(rooms, room);
        }
    }

    //=== ends ===//

    void disconnect(socketless::audience const& whom, std::vector<std::size_t> const& members) {
        note("server: disconnects ", members.size(), " sockets");
        for (std::size_t const n : members) begin_end(n);
        whom.disconnect();
    }

    void disconnect(std::size_t n) {
        joining const& j = model_.joinings()[n];
        if (!j.is_connected()) return;
        note("server: disconnects ", j.sid);
        // Another end may be known, and yet to be told.
        if (server_.is_connected(j.socket)) begin_end(n);
        server_.disconnect(j.socket);
    }

    void disconnect_connection(std::size_t n) {
        std::size_t const attempt = model_.joinings()[n].attempt;
        note("server: disconnects the connection of ", model_.joinings()[n].sid);
        model_.link_of(attempt).server_ended = true;
        for (std::size_t const other : model_.live())
            if (model_.joinings()[other].attempt == attempt) begin_end(other);
        server_.disconnect_connection(model_.joinings()[n].socket);
    }

    void begin_end(std::size_t n) {
        joining& j = model_.joinings()[n];
        j.was_disconnected = true;
        if (j.is_connected()) j.at = joining::state::ending;
    }

    void shut_down() {
        note("server: close()");
        is_shut_down_ = true;
        ++stack_figures_.shutdowns;
        for (std::size_t const n : model_.live())
            if (model_.joinings()[n].is_connected()) model_.joinings()[n].at = joining::state::ending;
        server_.close();
    }

    bool is_shut_down_ = false;

private:
    std::uint64_t last_data_ = 0;
};

} // namespace support
