// What the applications of clients do, drawn from the seed: they join and leave namespaces, emit and answer, and tell
// the ledger.
#pragma once

#include "simulation/stack_acks.hpp"
#include "simulation/stack_ledger.hpp"
#include "simulation/stack_plan.hpp"
#include "simulation/wires.hpp"

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

class stack_clients : protected wires<socketless::server, socketless::client> {
protected:
    stack_clients(std::uint64_t seed, network_figures& network, stack_figures& figures, std::string* trace)
        : wires(seed, network, trace,
                [](random_source& random, network_plan& plan) {
                    auto options = draw_stack_server(random, plan);
                    return socketless::server(std::move(options), random_bytes_of(random), time_point());
                }),
          stack_figures_(figures), model_(ledger_, figures, server_.options().recovery), acks_(model_, figures) {
        bool const small_queue = plan_.server.max_queued < 100'000;
        model_.may_not_fit = small_queue;
        is_uncertain_ = plan_.tight || small_queue;
        for (auto const& options : plan_.clients) {
            clients_.emplace_back(draw_stack_client(random_, options), random_bytes_of(random_), now_);
            is_uncertain_ |= options.max_queued < 100'000;
            model_.add_client();
            users_.emplace_back();
        }
        server_.declare(namespace_names[asked_nsp], socketless::admission::ask);
        server_.declare(namespace_names[automatic_nsp]);
        server_.declare_matching([this](std::string_view name, auto) { return is_matched(name, dynamic_asked_nsp); },
                                 socketless::admission::ask);
        server_.declare_matching([this](std::string_view name, auto) {
            return is_matched(name, dynamic_nsp) || is_matched(name, another_dynamic_nsp);
        });
    }
    ~stack_clients() = default;

    // Whoever uses a client.
    struct user {
        bool wants_connection = false;
        // The last namespace may have been left.
        bool may_be_idle = false;
        // No other attempt is made.
        bool has_given_up = false;
        bool is_open = false;
        bool wanted_root = false;                  // when the connection was opened
        std::optional<std::uint64_t> attempts = 0; // to connect again, where that is known
    };

    // An event that is to be acknowledged.
    struct question {
        socketio::ack_request request;
        std::size_t number;
        std::size_t joining;
    };

    //=== sockets ===//

    void join(std::size_t i) { join(i, random_.below(random_.one_in(4) ? namespace_count : 3)); }

    void join(std::size_t i, std::size_t nsp) {
        auto& c = clients_[i].session;
        client_socket& s = model_.socket(i, nsp);
        std::string name(namespace_names[nsp]);
        if (c.options().revision == engineio::revision::v3 && random_.one_in(3)) name += "?token=1";
        auto const auth = socketless::json::object("n", ++last_auth_);
        auto const way = random_.below(4);
        note("client ", i, ": connect ", name, way == 0 ? ", asks for auth" : "");
        auto const joined = way == 0   ? c.connect(name, socketio::ask_for_auth)
                            : way == 1 ? c.connect(name, auth)
                                       : c.connect(name);
        if (s.wanted) {
            bool const refused = !joined && joined.error().code == socketless::errc::already_connected;
            return ledger_.expect(refused, "a namespace is joined twice");
        }
        if (!joined) return ledger_.fail("a namespace cannot be joined");
        ledger_.expect(!s.handle || *s.handle == *joined, "a socket has two handles");
        ledger_.expect(c.nsp(*joined) == namespace_names[nsp], "a socket has another namespace");
        s.handle = *joined;
        s.wanted = true;
        if (way <= 1) s.asks_for_auth = way == 0;
        if (c.options().auto_connect) want_connection(i);
        if (random_.one_in(3)) client_emits(i, nsp);
    }

    void open(std::size_t i) {
        note("client ", i, ": open()");
        ledger_.expect(clients_[i].session.open().has_value(), "a client cannot be opened");
        want_connection(i);
    }

    void want_connection(std::size_t i) {
        users_[i].wants_connection = true;
        users_[i].has_given_up = false;
    }

    // Sooner, later or never.
    void authenticate(std::size_t i, std::size_t nsp) {
        if (random_.one_in(10)) return;
        auto const answer = [this, i, nsp] {
            client_socket& s = model_.socket(i, nsp);
            auto const done = clients_[i].session.authenticate(*s.handle, socketless::json::object("n", ++last_auth_));
            note("client ", i, ": authenticate ", namespace_names[nsp], done ? "" : ": ",
                 done ? "" : name(done.error().code));
            bool const is_late = !done && done.error().code == socketless::errc::already_connected;
            ledger_.expect(is_late != s.is_asked, "auth is taken that was not asked for, or not");
            s.is_asked = false;
            if (is_late) return;
            s.asks_for_auth = true;
            ++stack_figures_.authenticated;
        };
        if (random_.one_in(2)) return answer();
        later([this, i, answer] { as_client(i, answer); });
    }

    void leave(std::size_t i, std::size_t nsp) {
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle) return;
        note("client ", i, ": disconnect ", namespace_names[nsp]);
        was_left(i, nsp);
        clients_[i].session.disconnect(*s.handle);
        users_[i].may_be_idle = true;
    }

    void close(std::size_t i) {
        note("client ", i, ": close()");
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp) was_left(i, nsp);
        clients_[i].session.close();
        no_connection_wanted(i);
    }

    void was_left(std::size_t i, std::size_t nsp) {
        client_socket& s = model_.socket(i, nsp);
        s.wanted = false;
        s.is_asked = false;
        if (clients_[i].attempt) model_.link_of(*clients_[i].attempt).client_disconnects[nsp] = true;
        if (s.at && clients_[i].session.is_connected(*s.handle)) model_.joinings()[*s.at].client_disconnected = true;
    }

    void no_connection_wanted(std::size_t i) {
        users_[i].wants_connection = false;
        users_[i].may_be_idle = false;
        users_[i].attempts.reset();
        if (clients_[i].attempt) ledger_.at(*clients_[i].attempt).close_asked = true;
    }

    // With the last namespace the connection is left.
    void check_idle(std::size_t i) {
        if (!std::exchange(users_[i].may_be_idle, false)) return;
        for (std::size_t nsp = 0; nsp != namespace_count; ++nsp)
            if (model_.socket(i, nsp).wanted) return;
        no_connection_wanted(i);
    }

    //=== events ===//

    void client_emits(std::size_t i) { client_emits(i, random_.below(namespace_count)); }

    void client_emits(std::size_t i, std::size_t nsp) {
        auto& c = clients_[i].session;
        client_socket& s = model_.socket(i, nsp);
        if (!s.handle) return;
        auto const kind = random_.below(8);
        bool const is_connected = c.is_connected(*s.handle);
        emitted e = draw_event(nsp);
        e.client = i;
        e.is_up = true;
        e.is_volatile = kind == 0;
        e.asks = kind >= 1 && kind <= 3;
        e.is_retried = c.options().retries != 0 && !e.is_volatile;
        if (is_connected && !e.is_retried && chance(fault::message_too_large) && random_.one_in(5)) {
            did(fault::message_too_large, *clients_[i].attempt);
            e.size = plan_.server.max_payload + random_.below(3);
        }
        std::size_t const n = model_.make_event(e);
        content const held = e.contents(n);
        auto const name = event_name_of(n);
        note("client ", i, ": emits ", n, " to ", namespace_names[nsp], e.is_volatile ? ", volatile" : "",
             e.asks ? ", asks" : "");
        if (e.is_volatile) {
            bool const must_wait = c.queued() != 0;
            auto const done = c.emit_volatile(*s.handle, name, held.text, n, held.attachments);
            ledger_.expect(!done || !must_wait, "a volatile event waits");
            return sent(done, i, n);
        }
        if (!e.asks) {
            if (name == "message") return sent(c.send(*s.handle, held.text, n, held.attachments), i, n);
            return sent(c.emit(*s.handle, name, held.text, n, held.attachments), i, n);
        }
        auto const timeout = draw_timeout();
        auto const id = c.emit_with_ack(*s.handle, timeout, name, held.text, n, held.attachments);
        if (!id) return sent(id.error(), i, n);
        auto const wait = timeout ? timeout : c.options().ack_timeout;
        acks_.asked_by_client(i, *id, n, wait ? std::optional(now_ + *wait) : std::nullopt);
        sent({}, i, n);
    }

    void sent(socketless::result<void> done, std::size_t i, std::size_t n) {
        using enum socketless::errc;
        emitted const& e = model_.event(n);
        // An emit that finds the connection at its end waits for the next one.
        bool const is_connected = clients_[i].session.is_connected(*model_.socket(i, e.nsp).handle);
        if (done) {
            ledger_.expect(!e.is_volatile || is_connected, "a volatile event is sent before its socket is connected");
            if (e.is_volatile) ++stack_figures_.volatile_up;
            if (e.is_retried) ++stack_figures_.retried;
            return model_.sent_by_client(i, n, is_connected);
        }
        auto const code = done.error().code;
        note("client ", i, ": ", name(code));
        if (code == would_wait) {
            ledger_.expect(e.is_volatile, "an event waits that is not volatile");
            ++stack_figures_.dropped_up;
        } else if (code == buffer_full) {
            bool const is_limited = clients_[i].session.options().max_buffered < 10'000;
            ledger_.expect(is_limited && (!is_connected || e.is_retried), "a buffer is full that cannot be");
            ++stack_figures_.buffer_full;
        } else if (code == message_too_large) {
            ledger_.expect(e.size >= plan_.server.max_payload, "an event is too large that is not");
        } else {
            bool const may_fail = code == not_open || (code == queue_overflow && is_uncertain_);
            ledger_.expect(may_fail && !e.is_retried, "a client cannot emit an event");
        }
    }

    // At once, later or never.
    void client_answers(std::size_t i, question q) {
        if (random_.one_in(4)) return;
        if (!random_.one_in(3)) return client_acknowledges(i, q);
        auto const kept = std::make_shared<question>(std::move(q));
        later([this, i, kept] { as_client(i, [this, i, kept] { client_acknowledges(i, *kept); }); });
    }

    void client_acknowledges(std::size_t i, question& q) {
        std::size_t const n = draw_answer(i, q, true);
        content const held = model_.event(n).contents(n);
        auto& c = clients_[i].session;
        auto const done = c.acknowledge(q.request, held.text, n, held.attachments);
        note("client ", i, ": answers ", q.number, " with ", n, done ? "" : ": ", done ? "" : name(done.error().code));
        if (!done) return acknowledged_too_late(done.error().code);
        model_.event(q.number).is_answered = true;
        acks_.answered_by(q.number, q.joining);
        auto const again = c.acknowledge(q.request, n);
        ledger_.expect(!again && again.error().code == socketless::errc::already_acknowledged,
                       "two answers to one event");
    }

    void acknowledged_too_late(socketless::errc code) {
        using enum socketless::errc;
        ledger_.expect(code == not_connected || code == not_open || (code == queue_overflow && is_uncertain_),
                       "an event cannot be acknowledged");
        ++stack_figures_.acknowledged_too_late;
    }

    //=== what is drawn ===//

    emitted draw_event(std::size_t nsp) {
        emitted e{.nsp = nsp};
        if (random_.one_in(3)) e.attachments = random_.below(4);
        e.size = random_.below(random_.one_in(10) ? 100 : 10);
        return e;
    }

    std::size_t draw_answer(std::size_t i, question const& q, bool is_up) {
        emitted e = draw_event(model_.event(q.number).nsp);
        e.client = i;
        e.is_up = is_up;
        e.answer_to = q.number;
        return model_.make_event(e);
    }

    std::optional<socketless::milliseconds> draw_timeout() {
        if (random_.one_in(2)) return std::nullopt;
        return socketless::milliseconds(random_.between(0, 300));
    }

    //=== when they do it ===//

    template <class F>
    void later(F f) {
        after(microseconds(random_.below(100'000)), f);
    }

    // An application that acts on a timer of its own says what time it is.
    template <class F>
    void as_client(std::size_t i, F f) {
        deliver(clients_[i].side, [this, i, f] {
            clients_[i].session.handle_timeout(now_);
            f();
            pump_client(i);
        });
    }
    template <class F>
    void as_server(F f) {
        deliver(server_peer_, [this, f] {
            server_.handle_timeout(now_);
            pump_server();
            f();
            pump_server();
        });
    }

    stack_figures& stack_figures_;
    stack_ledger model_;
    stack_acks acks_;
    std::deque<user> users_;
    bool is_uncertain_ = false; // connections may end at any time
    bool is_in_event_ = false;  // there may be ends that are yet to be told

private:
    // Nobody asks about a namespace that is there.
    bool is_matched(std::string_view name, std::size_t nsp) {
        if (name != namespace_names[nsp]) return false;
        for (std::size_t const n : model_.live())
            ledger_.expect(model_.joinings()[n].nsp != nsp, "a namespace is made again that is there");
        ++stack_figures_.dynamic_made;
        return true;
    }

    std::uint64_t last_auth_ = 0;
};

} // namespace support
