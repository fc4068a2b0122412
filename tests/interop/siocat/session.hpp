// The session of siocat: commands become calls of the client, its events become lines.
#pragma once

#include "command.hpp"
#include "output.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/socketio/session.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace siocat {

class session {
public:
    /// `failure()` says why a connection could not be made, unless a status does.
    session(client& io, output& out, std::function<std::string()> failure)
        : io_(io), out_(out), failure_(std::move(failure)) {}

    //=== what the user wants ===//

    /// Precondition: the client knows the time. Throws bad_input.
    void execute(command const& c) {
        switch (c.operation) {
        case operation::connect: return connect(c);
        case operation::emit: return emit(c);
        case operation::reply: return reply(c);
        case operation::disconnect: return disconnect(c);
        case operation::close: return close();
        case operation::use: current_ = find(c.nsp)->first; return;
        case operation::help: return std::puts(typed_commands::help.data()), void();
        }
    }

    /// No command follows: closes once all commands are done. May be called again, when more has gone.
    void end_of_input() {
        has_more_input_ = false;
        close_if_done();
    }

    void close() {
        is_closing_ = true;
        io_.close();
    }

    /// Nothing comes any more: says so of each acknowledgement that is awaited.
    void end_acks() {
        socketio::event lost;
        lost.outcome = socketio::ack_outcome::disconnected;
        for (auto const& [id, ack] : pending_) out_.ack(json::text::trusted(ack.id), lost);
        pending_.clear();
    }

    //=== what happened ===//

    void handle(socketio::event& e) {
        using socketio::event_type;
        switch (e.type) {
        case event_type::opened: out_.opened(name(io_.transport())); break;
        case event_type::upgraded: out_.upgraded(name(io_.transport())); break;
        case event_type::connected:
            if (auto const found = sockets_.find(e.nsp); found != sockets_.end()) found->second.is_awaited = false;
            out_.connected(e.nsp, e.sid, e.recovered);
            break;
        case event_type::connect_error:
            out_.connect_error(e.nsp, e.message, e.data);
            note_refusal(e.nsp);
            break;
        case event_type::event: out_.event(e, e.ack ? keep(std::move(e.ack)) : ""); break;
        case event_type::ack:
            if (auto const a = pending_.extract(e.id)) out_.ack(json::text::trusted(a.mapped().id), e);
            break;
        case event_type::disconnected:
            note_disconnect(e);
            out_.disconnected(e.nsp, name(e.reason));
            break;
        case event_type::closed:
            out_.closed(name(e.reason));
            note_end(e.reason);
            break;
        case event_type::open_failed:
            tell_failure(e);
            note_end(e.reason);
            break;
        case event_type::reconnecting: out_.reconnect_attempt(e.attempt); break;
        case event_type::reconnect_failed:
            out_.reconnect_failed();
            is_lost_ = true;
            break;
        default: break;
        }
        close_if_done();
    }

    /// Whether there is nothing left to do.
    [[nodiscard]] bool is_over() const { return is_lost_ || (is_closing_ && io_.is_idle()); }
    /// Whether the connection was lost or could not be made, and the client does not try again; or whether the last
    /// wanted namespace was refused.
    [[nodiscard]] bool has_failed() const { return is_lost_ || is_refused_; }
    /// Whether there is no namespace that the user wants to be in.
    [[nodiscard]] bool wants_nothing() const { return sockets_.empty(); }

private:
    // A namespace that is wanted.
    struct socket {
        socketio::socket_handle handle;
        bool is_awaited = true; // to be let in, for the first time or again
    };
    using socket_map = std::map<std::string, socket, std::less<>>;

    // An acknowledgement.
    struct awaited_ack {
        std::string nsp;
        std::string id; // the user's name for it, in JSON
    };

    // Events that await a reply at the same time; with more, the oldest is forgotten.
    static constexpr std::size_t max_tokens = 10'000;

    template <class T>
    static T checked(result<T> done) {
        if (!done) throw bad_input(std::string(message(done.error().code)));
        if constexpr (!std::is_void_v<T>) return *done;
    }

    socket_map::iterator find(std::string const& nsp) {
        auto const& wanted = nsp.empty() ? current_ : nsp;
        auto const found = sockets_.find(wanted);
        if (found == sockets_.end()) throw bad_input("not joined: " + (wanted.empty() ? "any namespace" : wanted));
        return found;
    }

    void connect(command const& c) {
        if (!c.auth.empty() && !c.auth.is(json::kind::object)) throw bad_input("the auth is not an object");
        auto const nsp = c.nsp.empty() ? "/" : c.nsp;
        auto const handle = checked(c.auth.empty() ? io_.connect(nsp) : io_.connect(nsp, c.auth));
        auto const name = std::string(io_.nsp(handle)); // without a query
        current_ = name;
        sockets_.insert_or_assign(name, socket{handle});
    }

    void disconnect(command const& c) {
        auto const found = find(c.nsp);
        io_.disconnect(found->second.handle);
        sockets_.erase(found);
    }

    void emit(command const& c) {
        auto const& [nsp, s] = *find(c.nsp);
        if (c.wants_ack && c.is_volatile) throw bad_input("a volatile event cannot ask for an acknowledgement");
        if (c.wants_ack) {
            auto const id = checked(io_.emit_with_ack(s.handle, c.timeout, c.event, c.args));
            pending_.emplace(id, awaited_ack{nsp, std::string(c.id.raw())});
        } else if (c.is_volatile) {
            checked(io_.emit_volatile(s.handle, c.event, c.args));
        } else {
            checked(io_.emit(s.handle, c.event, c.args));
        }
    }

    void reply(command const& c) {
        std::uint64_t token = 0;
        auto const end = c.token.data() + c.token.size();
        auto const read = std::from_chars(c.token.data(), end, token);
        auto const found = read.ptr == end ? tokens_.find(token) : tokens_.end();
        if (found == tokens_.end()) throw bad_input("no event with this token is to be acknowledged");
        checked(io_.acknowledge(found->second, c.args));
        tokens_.erase(found);
    }

    // A new token for the right to acknowledge an event.
    std::string keep(socketio::ack_request ack) {
        tokens_.emplace(++last_token_, std::move(ack));
        if (tokens_.size() > max_tokens) tokens_.erase(tokens_.begin());
        return std::to_string(last_token_);
    }

    // Without another wanted namespace, the connection closes.
    void note_refusal(std::string_view nsp) {
        auto const found = sockets_.find(nsp);
        if (found == sockets_.end()) return;
        sockets_.erase(found);
        if (current_ == nsp && !sockets_.empty()) current_ = sockets_.begin()->first;
        if (!sockets_.empty() || is_closing_) return;
        is_refused_ = true;
        close();
    }

    // The socket has left: for now, or by the server's will.
    void note_disconnect(socketio::event const& e) {
        auto const found = sockets_.find(e.nsp);
        if (found == sockets_.end()) return;
        if (e.reason == socketio::disconnect_reason::io_server_disconnect)
            sockets_.erase(found);
        else
            found->second.is_awaited = true;
    }

    // As in socket.io-client, each socket gets the event.
    void tell_failure(socketio::event const& e) {
        auto why = std::string(name(e.reason));
        if (e.reason == socketio::disconnect_reason::transport_error)
            why += ": " + (e.status != 0 ? "HTTP status " + std::to_string(e.status) : failure_());
        std::string text;
        json::write(text, why).ignore();
        for (auto const& [nsp, s] : sockets_) out_.connect_error(nsp, json::text::trusted(text), e.data);
    }

    // The connection has ended: it may be the last one. It is not lost if the user has left the last namespace.
    void note_end(socketio::disconnect_reason reason) {
        bool const was_lost = !is_closing_ && reason != socketio::disconnect_reason::forced_close;
        if (was_lost && !io_.options().reconnection) is_lost_ = true;
    }

    // Once no socket is awaited, no events wait for one either.
    void close_if_done() {
        if (has_more_input_ || is_closing_ || io_.queued() != 0) return;
        for (auto const& [nsp, s] : sockets_)
            if (s.is_awaited) return;
        for (auto const& [id, ack] : pending_)
            if (sockets_.contains(ack.nsp)) return;
        close();
    }

    client& io_;
    output& out_;
    std::function<std::string()> failure_;
    socket_map sockets_;  // by namespace
    std::string current_; // the namespace of commands that do not say one
    std::unordered_map<std::uint64_t, awaited_ack> pending_;
    std::map<std::uint64_t, socketio::ack_request> tokens_; // the oldest first
    std::uint64_t last_token_ = 0;
    bool has_more_input_ = true;
    bool is_closing_ = false;
    bool is_lost_ = false;
    bool is_refused_ = false;
};

} // namespace siocat
