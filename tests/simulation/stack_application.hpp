// The application of a server, its acts drawn from the seed: it lets clients in or not, emits, answers and broadcasts,
// moves sockets from room to room and disconnects them, and tells the ledger.
#pragma once

#include "simulation/stack_scene.hpp"

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

template <class Wires>
class stack_application {
public:
    explicit stack_application(stack_scene<Wires>& scene)
        : scene_(scene), sim_(scene.sim), wires_(scene.wires), model_(scene.model), acks_(scene.acks) {
        auto& server = wires_.server;
        server.declare(namespace_names[asked_nsp], socketless::admission::ask);
        server.declare(namespace_names[automatic_nsp]);
        server.declare_matching([this](std::string_view name, auto) { return is_matched(name, dynamic_asked_nsp); },
                                socketless::admission::ask);
        server.declare_matching([this](std::string_view name, auto) {
            return is_matched(name, dynamic_nsp) || is_matched(name, another_dynamic_nsp);
        });
    }
    stack_application(stack_application const&) = delete;
    stack_application& operator=(stack_application const&) = delete;

    bool is_shut_down = false;

    //=== who may join ===//

    void decide(std::size_t n) {
        auto const way = sim_.random.below(20);
        if (way < 10) return accept(n);
        if (way < 13) return refuse(n);
        if (way == 19) {
            model_.joinings()[n].is_ignored = true;
            return;
        }
        scene_.later([this, n, way] {
            scene_.as_server([this, n, way] {
                if (way >= 17) return refuse(n);
                accept(n);
                if (model_.joinings()[n].is_connected()) ++scene_.figures.accepted_later;
            });
        });
    }

    void accept(std::size_t n) {
        joining& j = model_.joinings()[n];
        auto const done = wires_.server.accept(j.socket);
        sim_.note("server: accepts ", namespace_names[j.nsp], " of client ", j.client, done ? "" : ": too late");
        sim_.ledger.expect(done.has_value() == (j.at == joining::state::asked) || scene_.is_in_event,
                           "a socket is accepted, or not");
        if (done) model_.accepted(j, wires_.server.sid(j.socket), sim_.now);
        sim_.ledger.expect(!wires_.server.accept(j.socket), "a socket is accepted twice");
        if (done && sim_.random.one_in(3)) emit(n);
    }

    void refuse(std::size_t n) {
        joining& j = model_.joinings()[n];
        std::string const why = "not you: " + std::to_string(n);
        auto const done = sim_.random.one_in(2)
                              ? wires_.server.refuse(j.socket, why)
                              : wires_.server.refuse(j.socket, why, socketless::json::object("joining", n));
        sim_.note("server: refuses ", namespace_names[j.nsp], " of client ", j.client, done ? "" : ": too late");
        sim_.ledger.expect(done.has_value() == (j.at == joining::state::asked) || scene_.is_in_event,
                           "a socket is refused, or not");
        if (done) model_.refused(j);
    }

    //=== rooms ===//

    void change_rooms(std::size_t n) {
        joining& j = model_.joinings()[n];
        // A socket that is not accepted yet is in its rooms once it is.
        bool const is_there = j.is_connected() || (j.at == joining::state::asked && !j.is_lost);
        std::string const room(sim_.random.pick(room_names));
        auto const found = std::find(j.rooms.begin(), j.rooms.end(), room);
        bool const was_in = found != j.rooms.end();
        if (sim_.random.one_in(3)) {
            bool const left = wires_.server.leave(j.socket, room);
            sim_.ledger.expect(left == (was_in && is_there) || (scene_.is_in_event && !left), "a room is left, or not");
            if (left && was_in) j.rooms.erase(found);
        } else {
            bool const joined = wires_.server.join(j.socket, room);
            sim_.ledger.expect(joined == (!was_in && is_there) || (scene_.is_in_event && !joined),
                               "a room is joined, or not");
            if (joined) j.rooms.push_back(room);
        }
        if (j.is_connected() && sim_.random.one_in(3))
            wires_.server.set_data(j.socket, std::make_shared<std::uint64_t>(j.data = ++last_data_));
    }

    //=== events ===//

    void emit(std::size_t n) {
        joining& j = model_.joinings()[n];
        // Events that are kept until a client is accepted are tested in tests/stack/server_admission_test.cpp.
        if (j.at == joining::state::asked) return;
        auto const kind = sim_.random.below(8);
        emitted e = scene_.draw_event(j.nsp);
        e.is_volatile = kind == 0;
        e.asks = kind >= 1 && kind <= 3;
        std::size_t const number = model_.make_event(e);
        content const held = e.contents(number);
        auto const name = event_name_of(number);
        sim_.note("server: emits ", number, " to ", j.sid, e.is_volatile ? ", volatile" : "", e.asks ? ", asks" : "");
        if (e.is_volatile) {
            auto const* const c = wires_.server.connection(j.socket);
            bool const must_wait = c == nullptr || !c->writable();
            auto const done = wires_.server.emit_volatile(j.socket, name, held.text, number, held.attachments);
            sim_.ledger.expect(!done || !must_wait, "a volatile event waits");
            return emitted_to(done, n, number);
        }
        if (!e.asks)
            return emitted_to(wires_.server.emit(j.socket, name, held.text, number, held.attachments), n, number);
        auto const timeout = scene_.draw_timeout();
        bool const may_ask = acks_.owed(j.attempt) < wires_.server.options().sockets.max_pending_acks;
        auto const id = wires_.server.emit_with_ack(j.socket, timeout, name, held.text, number, held.attachments);
        if (!id) return emitted_to(id.error(), n, number);
        sim_.ledger.expect(may_ask, "more acknowledgements are asked for than may be");
        acks_.asked_by_server(*id, number, {n}, timeout ? std::optional(sim_.now + *timeout) : std::nullopt, false);
        emitted_to({}, n, number);
    }

    void emitted_to(socketless::result<void> done, std::size_t n, std::size_t number) {
        using enum socketless::errc;
        joining const& j = model_.joinings()[n];
        emitted const& e = model_.event(number);
        bool const is_there = done || done.error().code != not_connected;
        bool const can_recover = model_.link_of(j.attempt).revision == engineio::revision::v4;
        bool const is_kept = model_.kept.is_on() && can_recover && !e.asks && !e.is_volatile && is_there;
        if (is_kept) model_.kept.keep(number, j.nsp, {.to = {j.sid}}, sim_.now);
        if (done && is_kept && !j.is_connected()) return; // kept until it comes back
        if (done) {
            sim_.ledger.expect(j.is_connected(), "an event is sent to a socket that is not connected");
            if (e.is_volatile) ++scene_.figures.volatile_down;
            return model_.sent_by_server(n, number);
        }
        auto const code = done.error().code;
        sim_.note("server: ", name(code));
        if (code == would_wait) {
            sim_.ledger.expect(e.is_volatile, "an event waits that is not volatile");
            ++scene_.figures.dropped_down;
        } else if (code == too_many_acks) {
            sim_.ledger.expect(acks_.owed(j.attempt) >= wires_.server.options().sockets.max_pending_acks,
                               "an event may not ask");
            ++scene_.figures.too_many_acks;
        } else if (code == queue_overflow) {
            sim_.ledger.expect(scene_.is_uncertain, "a queue overflows that cannot");
        } else {
            sim_.ledger.expect(scene_.is_in_event || scene_.is_uncertain || !j.is_connected(),
                               "the server cannot emit an event");
        }
    }

    void answer(question q) {
        bool const is_retried = model_.event(q.number).is_retried;
        if (sim_.random.one_in(is_retried ? 10 : 4)) return;
        if (!sim_.random.one_in(3)) return acknowledge(q);
        auto const kept = std::make_shared<question>(std::move(q));
        scene_.later([this, kept] { scene_.as_server([this, kept] { acknowledge(*kept); }); });
    }

    void acknowledge(question& q) {
        joining const& j = model_.joinings()[q.joining];
        std::size_t const n = scene_.draw_answer(j.client, q, false);
        content const held = model_.event(n).contents(n);
        auto const done = wires_.server.acknowledge(q.request, held.text, n, held.attachments);
        sim_.note("server: answers ", q.number, " with ", n, done ? "" : ": ", done ? "" : name(done.error().code));
        if (!done) return scene_.acknowledged_too_late(done.error().code);
        sim_.ledger.expect(j.is_connected(), "an event is acknowledged for a socket that is gone");
        model_.event(q.number).is_answered = true;
        auto const again = wires_.server.acknowledge(q.request, n);
        sim_.ledger.expect(!again && again.error().code == socketless::errc::already_acknowledged,
                           "two answers to one event");
    }

    //=== broadcasts ===//

    void broadcast() {
        bool const is_any = model_.live().empty() || sim_.random.one_in(4);
        std::size_t const nsp =
            is_any ? sim_.random.below(unknown_nsp) : model_.joinings()[sim_.random.pick(model_.live())].nsp;
        audience_names who;
        auto const whom = draw_audience(nsp, who);
        std::vector<std::size_t> receivers;
        for (std::size_t const n : model_.live()) {
            joining const& j = model_.joinings()[n];
            if (j.is_connected() && j.nsp == nsp && who.includes(j)) receivers.push_back(n);
        }
        if (!scene_.is_in_event) sim_.ledger.expect(whom.size() == receivers.size(), "an audience has another size");
        // An empty namespace may be there or not; this matters only if few events are kept.
        auto const in_namespace = [&](std::size_t n) { return model_.joinings()[n].nsp == nsp; };
        bool const is_there =
            nsp <= automatic_nsp || std::any_of(model_.live().begin(), model_.live().end(), in_namespace);
        if (!is_there && model_.kept.is_short()) return;
        auto const kind = sim_.random.below(20);
        if (kind == 0 && !scene_.is_in_event) return disconnect(whom, receivers);
        if (kind <= 2 && !scene_.is_in_event) return change_rooms(whom, receivers);
        emitted e = scene_.draw_event(nsp);
        e.is_volatile = kind >= 15;
        e.asks = kind >= 10 && !e.is_volatile && !scene_.is_in_event;
        std::size_t const n = model_.make_event(e);
        sim_.note("server: broadcasts ", n, " in ", namespace_names[nsp], " to ", receivers.size(), " sockets",
                  e.is_volatile ? ", volatile" : "", e.asks ? ", asks" : "");
        if (e.asks) return broadcast_with_ack(whom, n, receivers);
        content const held = e.contents(n);
        if (e.is_volatile)
            std::erase_if(receivers, [&](std::size_t r) {
                auto const* const c = wires_.server.connection(model_.joinings()[r].socket);
                return c == nullptr || !c->writable();
            });
        else if (model_.kept.is_on())
            model_.kept.keep(n, nsp, who, sim_.now);
        auto const name = event_name_of(n);
        auto const count = e.is_volatile       ? whom.emit_volatile(name, held.text, n, held.attachments)
                           : name == "message" ? whom.send(held.text, n, held.attachments)
                                               : whom.emit(name, held.text, n, held.attachments);
        for (std::size_t const r : receivers) model_.sent_by_server(r, n);
        bool const is_exact = !scene_.is_in_event && !scene_.is_uncertain;
        sim_.ledger.expect(count && (is_exact ? *count == receivers.size() : *count <= receivers.size()),
                           "a broadcast has other receivers");
        ++(e.is_volatile ? scene_.figures.broadcasts_volatile : scene_.figures.broadcasts);
        scene_.figures.receivers += receivers.size();
    }

    void broadcast_with_ack(socketless::audience const& whom, std::size_t n, std::vector<std::size_t> receivers) {
        content const held = model_.event(n).contents(n);
        std::erase_if(receivers, [this](std::size_t r) {
            return acks_.owed(model_.joinings()[r].attempt) >= wires_.server.options().sockets.max_pending_acks;
        });
        auto const timeout = scene_.draw_timeout();
        auto const id = whom.emit_with_ack(timeout, event_name_of(n), held.text, n, held.attachments);
        if (!id) return sim_.ledger.fail("a broadcast cannot ask for acknowledgements");
        for (std::size_t const r : receivers) model_.sent_by_server(r, n);
        acks_.asked_by_server(*id, n, receivers, timeout ? std::optional(sim_.now + *timeout) : std::nullopt, true);
        ++scene_.figures.broadcasts_acknowledged;
    }

    // The audience borrows the names.
    socketless::audience draw_audience(std::size_t nsp, audience_names& who) {
        auto whom = wires_.server.in(namespace_names[nsp]);
        auto const draw_name = [this]() -> std::string_view {
            if (model_.joinings().empty() || !sim_.random.one_in(4)) return sim_.random.pick(room_names);
            return sim_.random.pick(model_.joinings()).sid;
        };
        for (std::size_t left = sim_.random.below(3); left != 0; --left) {
            auto const name = draw_name();
            who.to.emplace_back(name);
            whom.to(name);
        }
        for (std::size_t left = sim_.random.one_in(2) ? sim_.random.below(3) : 0; left != 0; --left) {
            auto const name = draw_name();
            who.except.emplace_back(name);
            whom.except(name);
        }
        if (sim_.random.one_in(4) && !model_.live().empty()) {
            joining const& j = model_.joinings()[sim_.random.pick(model_.live())];
            if (j.was_accepted()) who.except.push_back(j.sid);
            whom.except(j.socket);
        }
        return whom;
    }

    void change_rooms(socketless::audience const& whom, std::vector<std::size_t> const& members) {
        auto const room = sim_.random.pick(room_names);
        bool const is_joined = sim_.random.one_in(2);
        sim_.note("server: ", members.size(), is_joined ? " sockets join " : " sockets leave ", room);
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
        sim_.note("server: disconnects ", members.size(), " sockets");
        for (std::size_t const n : members) begin_end(n);
        whom.disconnect();
    }

    void disconnect(std::size_t n) {
        joining const& j = model_.joinings()[n];
        if (!j.is_connected()) return;
        sim_.note("server: disconnects ", j.sid);
        // It may have ended already, with `disconnected` not polled yet.
        if (wires_.server.is_connected(j.socket)) begin_end(n);
        wires_.server.disconnect(j.socket);
    }

    void disconnect_connection(std::size_t n) {
        std::size_t const attempt = model_.joinings()[n].attempt;
        sim_.note("server: disconnects the connection of ", model_.joinings()[n].sid);
        model_.link_of(attempt).server_ended = true;
        for (std::size_t const other : model_.live())
            if (model_.joinings()[other].attempt == attempt) begin_end(other);
        wires_.server.disconnect_connection(model_.joinings()[n].socket);
    }

    void begin_end(std::size_t n) {
        joining& j = model_.joinings()[n];
        j.was_disconnected = true;
        if (j.is_connected()) j.at = joining::state::ending;
    }

    void shut_down() {
        sim_.note("server: close()");
        is_shut_down = true;
        ++scene_.figures.shutdowns;
        for (std::size_t const n : model_.live())
            if (model_.joinings()[n].is_connected()) model_.joinings()[n].at = joining::state::ending;
        wires_.close_server();
    }

private:
    // The server does not ask about a namespace that is there.
    bool is_matched(std::string_view name, std::size_t nsp) {
        if (name != namespace_names[nsp]) return false;
        for (std::size_t const n : model_.live())
            sim_.ledger.expect(model_.joinings()[n].nsp != nsp, "a namespace is made again that is there");
        ++scene_.figures.dynamic_made;
        return true;
    }

    stack_scene<Wires>& scene_;
    simulation& sim_;
    Wires& wires_;
    stack_ledger& model_;
    stack_acks& acks_;
    std::uint64_t last_data_ = 0;
};

} // namespace support
