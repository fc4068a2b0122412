// The applications of clients, their acts drawn from the seed: they join and leave namespaces, emit and answer, and
// tell the ledger.
#pragma once

#include "simulation/stack_scene.hpp"

#include <socketless/client.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

template <class Wires>
class stack_clients {
public:
    explicit stack_clients(stack_scene<Wires>& scene)
        : users(scene.wires.clients.size()), scene_(scene), sim_(scene.sim), wires_(scene.wires), model_(scene.model),
          acks_(scene.acks) {}
    stack_clients(stack_clients const&) = delete;
    stack_clients& operator=(stack_clients const&) = delete;

    // The user of a client.
    struct user {
        bool wants_connection = false;
        // The last namespace may have been left.
        bool may_be_idle = false;
        // The client makes no other attempt.
        bool has_given_up = false;
        bool is_open = false;
        bool wanted_root = false;                  // when the connection was opened
        std::optional<std::uint64_t> attempts = 0; // to connect again, if known
    };

    std::deque<user> users;

    //=== sockets ===//

    void start(std::size_t i) {
        scene_.as_client(i, [this, i] {
            if (scene_.is_ending) return;
            if (sim_.random.one_in(3)) open(i);
            for (std::size_t left = 1 + sim_.random.below(3); left != 0; --left) join(i);
        });
    }

    void join(std::size_t i) { join(i, sim_.random.below(sim_.random.one_in(4) ? namespace_count : 3)); }

    void join(std::size_t i, std::size_t nsp) {
        auto& c = wires_.clients[i].session;
        client_socket& s = model_.socket(i, nsp);
        std::string name(namespace_names[nsp]);
        if (c.options().revision == engineio::revision::v3 && sim_.random.one_in(3)) name += "?token=1";
        auto const auth = socketless::json::object("n", ++last_auth_);
        auto const way = sim_.random.below(4);
        sim_.note("client ", i, ": connect ", name, way == 0 ? ", asks for auth" : "");
        auto const joined = way == 0   ? c.connect(name, socketio::ask_for_auth)
                            : way == 1 ? c.connect(name, auth)
                                       : c.connect(name);
        if (s.wanted) {
            bool const refused = !joined && joined.error().code == socketless::errc::already_connected;
            return sim_.ledger.expect(refused, "a namespace is joined twice");
        }
        if (!joined) return sim_.ledger.fail("a namespace cannot be joined");
        sim_.ledger.expect(!s.handle || *s.handle == *joined, "a socket has two handles");
        sim_.ledger.expect(c.nsp(*joined) == namespace_names[nsp], "a socket has another namespace");
        s.handle = *joined;
        s.wanted = true;
        if (way <= 1) s.asks_for_auth = way == 0;
        if (c.options().auto_connect) want_connection(i);
        if (sim_.random.one_in(3)) emit(i, nsp);
    }

    void open(std::size_t i) {
        sim_.note("client ", i, ": open()");
        sim_.ledger.expect(wires_.clients[i].session.open().has_value(), "a client cannot be opened");
        want_connection(i);
    }

    void want_connection(std::size_t i) {
        users[i].wants_connection = true;
        users[i].has_given_up = false;
    }

    // Authenticates at once, later or never.
    void authenticate(std::size_t i, std::size_t nsp) {
        if (sim_.random.one_in(10)) return;
        auto const answer = [this, i, nsp] {
            client_socket& s = model_.socket(i, nsp);
            auto const done =
                wires_.clients[i].session.authenticate(*s.handle, socketless::json::object("n", ++last_auth_));
            sim_.note("client ", i, ": authenticate ", namespace_names[nsp], done ? "" : ": ",
                      done ? "" : name(done.error().code));
            bool const is_late = !done && done.error().code == socketless::errc::already_connected;
            sim_.ledger.expect(is_late != s.is_asked, "auth is taken that was not asked for, or not");
            s.is_asked = false;
            if (is_late) return;
            s.asks_for_auth = true;
            ++scene_.figures.authenticated;
        };
        if (sim_.random.one_in(2)) return answer();
        scene_.later([this, i, answer] { scene_.as_client(i, answer); });
    }

    void leave(std::size_t i, std::size_t nsp) {
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle) return;
        sim_.note("client ", i, ": disconnect ", namespace_names[nsp]);
        was_left(i, nsp);
        wires_.clients[i].session.disconnect(*s.handle);
        users[i].may_be_idle = true;
    }

    void close(std::size_t i) {
        sim_.note("client ", i, ": close()");
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) was_left(i, nsp);
        wires_.clients[i].session.close();
        no_connection_wanted(i);
    }

    void was_left(std::size_t i, std::size_t nsp) {
        client_socket& s = model_.socket(i, nsp);
        s.wanted = false;
        s.is_asked = false;
        if (wires_.clients[i].attempt) model_.link_of(*wires_.clients[i].attempt).client_disconnects[nsp] = true;
        if (s.at && wires_.clients[i].session.is_connected(*s.handle))
            model_.joinings()[*s.at].client_disconnected = true;
    }

    void no_connection_wanted(std::size_t i) {
        users[i].wants_connection = false;
        users[i].may_be_idle = false;
        users[i].attempts.reset();
        if (wires_.clients[i].attempt) sim_.ledger.at(*wires_.clients[i].attempt).close_asked = true;
    }

    // A client that leaves its last namespace closes the connection.
    void check_idle(std::size_t i) {
        if (!std::exchange(users[i].may_be_idle, false)) return;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp)
            if (model_.socket(i, nsp).wanted) return;
        no_connection_wanted(i);
    }

    //=== events ===//

    void emit(std::size_t i) { emit(i, sim_.random.below(namespace_count)); }

    void emit(std::size_t i, std::size_t nsp) {
        auto& c = wires_.clients[i].session;
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle) return;
        auto const kind = sim_.random.below(8);
        bool const is_connected = c.is_connected(*s.handle);
        emitted e = scene_.draw_event(nsp);
        e.client = i;
        e.is_up = true;
        e.is_volatile = kind == 0;
        e.asks = kind >= 1 && kind <= 3;
        e.is_retried = c.options().retries != 0 && !e.is_volatile;
        if (is_connected && !e.is_retried && sim_.chance(fault::message_too_large) && sim_.random.one_in(5)) {
            sim_.did(fault::message_too_large, *wires_.clients[i].attempt);
            e.size = sim_.plan.server.max_payload + sim_.random.below(3);
        }
        std::size_t const n = model_.make_event(e);
        content const held = e.contents(n);
        auto const name = event_name_of(n);
        sim_.note("client ", i, ": emits ", n, " to ", namespace_names[nsp], e.is_volatile ? ", volatile" : "",
                  e.asks ? ", asks" : "");
        if (e.is_volatile) {
            bool const must_wait = c.queued() != 0;
            auto const done = c.emit_volatile(*s.handle, name, held.text, n, held.attachments);
            sim_.ledger.expect(!done || !must_wait, "a volatile event waits");
            return sent(done, i, n);
        }
        if (!e.asks) {
            if (name == "message") return sent(c.send(*s.handle, held.text, n, held.attachments), i, n);
            return sent(c.emit(*s.handle, name, held.text, n, held.attachments), i, n);
        }
        auto const timeout = scene_.draw_timeout();
        auto const id = c.emit_with_ack(*s.handle, timeout, name, held.text, n, held.attachments);
        if (!id) return sent(id.error(), i, n);
        auto const wait = timeout ? timeout : c.options().ack_timeout;
        acks_.asked_by_client(i, *id, n, wait ? std::optional(sim_.now + *wait) : std::nullopt);
        sent({}, i, n);
    }

    void sent(socketless::result<void> done, std::size_t i, std::size_t n) {
        using enum socketless::errc;
        emitted const& e = model_.event(n);
        // An emit that finds the connection at its end waits for the next one.
        bool const is_connected = wires_.clients[i].session.is_connected(*model_.socket(i, e.nsp).handle);
        if (done) {
            sim_.ledger.expect(!e.is_volatile || is_connected,
                               "a volatile event is sent before its socket is connected");
            if (e.is_volatile) ++scene_.figures.volatile_up;
            if (e.is_retried) ++scene_.figures.retried;
            return model_.sent_by_client(i, n, is_connected);
        }
        auto const code = done.error().code;
        sim_.note("client ", i, ": ", name(code));
        if (code == would_wait) {
            sim_.ledger.expect(e.is_volatile, "an event waits that is not volatile");
            ++scene_.figures.dropped_up;
        } else if (code == buffer_full) {
            auto const& o = wires_.clients[i].session.options();
            auto const limit = e.is_retried ? o.max_buffered : std::min(o.max_buffered, o.max_queued);
            sim_.ledger.expect(limit < 10'000 && (!is_connected || e.is_retried), "a buffer is full that cannot be");
            ++scene_.figures.buffer_full;
        } else if (code == message_too_large) {
            sim_.ledger.expect(e.size >= sim_.plan.server.max_payload, "an event is too large that is not");
        } else {
            bool const may_fail = code == not_open || (code == queue_overflow && scene_.is_uncertain);
            sim_.ledger.expect(may_fail && !e.is_retried, "a client cannot emit an event");
        }
    }

    // Acknowledges at once, later or never.
    void answer(std::size_t i, question q) {
        if (sim_.random.one_in(4)) return;
        if (!sim_.random.one_in(3)) return acknowledge(i, q);
        auto const kept = std::make_shared<question>(std::move(q));
        scene_.later([this, i, kept] { scene_.as_client(i, [this, i, kept] { acknowledge(i, *kept); }); });
    }

    void acknowledge(std::size_t i, question& q) {
        std::size_t const n = scene_.draw_answer(i, q, true);
        content const held = model_.event(n).contents(n);
        auto& c = wires_.clients[i].session;
        auto const done = c.acknowledge(q.request, held.text, n, held.attachments);
        sim_.note("client ", i, ": answers ", q.number, " with ", n, done ? "" : ": ",
                  done ? "" : name(done.error().code));
        if (!done) return scene_.acknowledged_too_late(done.error().code);
        model_.event(q.number).is_answered = true;
        acks_.answered_by(q.number, q.joining);
        auto const again = c.acknowledge(q.request, n);
        sim_.ledger.expect(!again && again.error().code == socketless::errc::already_acknowledged,
                           "two answers to one event");
    }

private:
    stack_scene<Wires>& scene_;
    simulation& sim_;
    Wires& wires_;
    stack_ledger& model_;
    stack_acks& acks_;
    std::uint64_t last_auth_ = 0;
};

} // namespace support
