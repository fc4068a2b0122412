// What siocat does: commands become calls of the client, its events become lines.
#pragma once

#include "command.hpp"
#include "output.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/socketio/session.hpp>

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
    /// `failure()` says more where a connection could not be made.
    session(client& io, output& out, std::function<std::string()> failure)
        : io_(io), out_(out), failure_(std::move(failure)) {}

    //=== what the user wants ===//

    /// Precondition: the client has been told the time. Throws bad_input.
    void execute(command const& c) {
        switch (c.operation) {
        case operation::connect: return connect(c);
        case operation::emit: return emit(c);
        case operation::reply: return reply(c);
        case operation::disconnect: return io_.disconnect(find(c.nsp).handle);
        case operation::close: return close();
        case operation::use:
            find(c.nsp);
            current_ = c.nsp;
            return;
        case operation::help: return std::puts(typed_commands::help.data()), void();
        }
    }

    /// No command follows: closes when what was asked for has been done.
    void end_of_input() {
        has_more_input_ = false;
        close_if_done();
    }

    void close() {
        is_closing_ = true;
        io_.close();
    }

    //=== what happened ===//

    void handle(socketio::event& e) {
        using socketio::event_type;
        switch (e.type) {
        case event_type::opened: out_.opened(name(io_.transport())); break;
        case event_type::upgraded: out_.upgraded(name(io_.transport())); break;
        case event_type::connected:
            settle(e.nsp);
            out_.connected(e.nsp, e.sid, e.recovered);
            break;
        case event_type::connect_error:
            settle(e.nsp);
            out_.connect_error(e.nsp, e.message, e.data);
            break;
        case event_type::event: out_.event(e, e.ack ? keep(std::move(e.ack)) : ""); break;
        case event_type::ack:
            if (auto const id = pending_.extract(e.id)) out_.ack(json::text::trusted(id.mapped()), e);
            break;
        case event_type::disconnected: out_.disconnected(e.nsp, name(e.reason)); break;
        case event_type::closed:
            out_.closed(name(e.reason));
            note_end(e.reason);
            break;
        case event_type::open_failed:
            tell_failure(e.reason);
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
    /// Whether the connection was lost, or could not be made, and will not be tried again.
    [[nodiscard]] bool is_lost() const { return is_lost_; }
    /// Bytes that are yet to be sent: there is no hurry to read more.
    [[nodiscard]] std::size_t queued() const { return io_.queued() + io_.buffered(); }

private:
    struct socket {
        socketio::socket_handle handle;
        bool is_awaited = true; // whether it is let in
    };

    // Events that may be replied to at the same time; the oldest is forgotten then.
    static constexpr std::size_t max_tokens = 10'000;

    template <class T>
    static T checked(result<T> done) {
        if (!done) throw bad_input(std::string(message(done.error().code)));
        if constexpr (!std::is_void_v<T>) return *done;
    }

    socket& find(std::string const& nsp) {
        auto const& wanted = nsp.empty() ? current_ : nsp;
        auto const found = sockets_.find(wanted);
        if (found == sockets_.end()) throw bad_input("not joined: " + (wanted.empty() ? "any namespace" : wanted));
        return found->second;
    }

    void connect(command const& c) {
        auto const nsp = c.nsp.empty() ? "/" : c.nsp;
        auto const handle = checked(c.auth.empty() ? io_.connect(nsp) : io_.connect(nsp, c.auth));
        current_ = io_.nsp(handle);
        sockets_.insert_or_assign(current_, socket{handle});
    }

    void emit(command const& c) {
        auto const handle = find(c.nsp).handle;
        if (c.wants_ack && c.is_volatile) throw bad_input("a volatile event cannot ask for an acknowledgement");
        if (c.wants_ack)
            pending_.emplace(checked(io_.emit_with_ack(handle, c.timeout, c.event, c.args)), c.id.raw());
        else if (c.is_volatile)
            checked(io_.emit_volatile(handle, c.event, c.args));
        else
            checked(io_.emit(handle, c.event, c.args));
    }

    void reply(command const& c) {
        auto const found = tokens_.find(c.token);
        if (found == tokens_.end()) throw bad_input("no event with this token is to be acknowledged");
        checked(io_.acknowledge(found->second, c.args));
        tokens_.erase(found);
    }

    // A new token for the right to acknowledge an event.
    std::string const& keep(socketio::ack_request ack) {
        order_.push_back(std::to_string(++last_token_));
        tokens_.emplace(order_.back(), std::move(ack));
        if (order_.size() > max_tokens) {
            tokens_.erase(order_.front());
            order_.pop_front();
        }
        return order_.back();
    }

    void settle(std::string_view nsp) {
        if (auto const found = sockets_.find(nsp); found != sockets_.end()) found->second.is_awaited = false;
    }

    // As socket.io-client does: each socket hears of it.
    void tell_failure(socketio::disconnect_reason reason) {
        auto why = std::string(name(reason));
        if (reason == socketio::disconnect_reason::transport_error) why += ": " + failure_();
        std::string text;
        static_cast<void>(json::write(text, why));
        for (auto const& [nsp, s] : sockets_) out_.connect_error(nsp, json::text::trusted(text), {});
    }

    // The connection has ended: it may be the last one. It is not lost where the last namespace has been left.
    void note_end(socketio::disconnect_reason reason) {
        bool const was_lost = !is_closing_ && reason != socketio::disconnect_reason::forced_close;
        if (was_lost && !io_.options().reconnection) is_lost_ = true;
    }

    void close_if_done() {
        if (has_more_input_ || is_closing_ || !pending_.empty() || io_.buffered() != 0) return;
        for (auto const& [nsp, s] : sockets_)
            if (s.is_awaited) return;
        close();
    }

    client& io_;
    output& out_;
    std::function<std::string()> failure_;
    std::map<std::string, socket, std::less<>> sockets_;     // by namespace
    std::string current_;                                    // the namespace that is meant where none is said
    std::unordered_map<std::uint64_t, std::string> pending_; // what acknowledgements are known by, in JSON
    std::unordered_map<std::string, socketio::ack_request> tokens_;
    std::deque<std::string> order_; // of the tokens
    std::uint64_t last_token_ = 0;
    bool has_more_input_ = true;
    bool is_closing_ = false;
    bool is_lost_ = false;
};

} // namespace siocat
