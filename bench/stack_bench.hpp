// Whole stacks: a socketless::client and a socketless::server joined without a network, with the bytes of a connection
// between them or without; a crowd of idle sockets, and a broadcast to many.
#pragma once

#include "corpus.hpp"

#include <socketless/client.hpp>
#include <socketless/http/url.hpp>
#include <socketless/server.hpp>
#include <socketless/wire/client.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// Ids that differ. A benchmark has no secrets.
inline random_source counting() {
    return [n = std::uint64_t{0}](std::span<std::byte> bytes) mutable {
        ++n;
        std::memcpy(bytes.data(), &n, sizeof n);
    };
}

// Emits the event with the index `i` of the corpus by `emit(arguments...)`.
template <class Emit>
void emit_event(std::size_t i, values const& v, corpus const& c, Emit emit) {
    bool const good =
        i == 0   ? emit("message", "hello world")
        : i == 1 ? emit("update", v.ada)
                 : emit("img", as_bytes(c.attachments[0]), json::object("meta", "x"), as_bytes(c.attachments[1]));
    require(good, "an event cannot be emitted");
}

// One client, connected over WebSocket. Each event that it emits the server emits back.
class joined_stacks {
public:
    explicit joined_stacks(corpus const& c)
        : values_(c), corpus_(&c), server_({}, counting(), now_),
          client_({.transports = {engineio::transport::websocket}}, counting(), now_) {
        server_.declare("/admin");
        for (std::string_view const nsp : {"/", "/admin"}) sockets_.push_back(checked(client_.connect(nsp), "connect"));
        settle();
        require(client_.is_connected(sockets_[0]) && client_.is_connected(sockets_[1]), "the stacks do not connect");
    }

    // Packet `i` of the corpus, to the server and back; whether both have arrived.
    bool exchange(std::size_t i) {
        std::size_t const before = received_;
        current_ = i;
        emit_event(i, values_, *corpus_,
                   [&](auto const&... args) { return client_.emit(sockets_[i == 1], args...).has_value(); });
        settle();
        return received_ == before + 2;
    }

private:
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            while (auto const e = client_.poll_event()) {
            }
            while (auto const t = client_.poll_transmit(client_buffer_)) {
                to_server(*t);
                busy = true;
            }
            while (auto const t = server_.poll_transmit(server_buffer_)) {
                to_client(*t);
                busy = true;
            }
        }
    }

    void to_server(engineio::transmit const& t) {
        if (t.type == engineio::transmit_type::open_websocket) {
            server_.websocket_opened(t.id, t.target, now_);
            client_.channel_opened(t.id, now_);
        } else if (t.type == engineio::transmit_type::send) {
            server_.websocket_received(t.id, t.data, now_);
        }
        while (auto const e = server_.poll_event()) {
            if (e->type != socketio::event_type::event) continue;
            ++received_;
            emit_event(current_, values_, *corpus_,
                       [&](auto const&... args) { return server_.emit(e->socket, args...).has_value(); });
        }
    }

    void to_client(engineio::transmit const& t) {
        if (t.type == engineio::transmit_type::send) client_.websocket_received(t.id, t.data, now_);
        while (auto const e = client_.poll_event())
            if (e->type == socketio::event_type::event) ++received_;
    }

    time_point now_{};
    values values_;
    corpus const* corpus_;
    server server_;
    client client_;
    std::vector<socketio::socket_handle> sockets_;
    std::size_t current_ = 0;
    std::size_t received_ = 0;
    std::string client_buffer_;
    std::string server_buffer_;
};

// The same from the bytes of a connection to those that go back: WebSocket's frames, masked by the client.
class joined_wires {
public:
    explicit joined_wires(corpus const& c)
        : values_(c), corpus_(&c), server_({}, {}, counting(), now_),
          client_(checked(http::parse_url("http://localhost"), "URL"), {.transports = {engineio::transport::websocket}},
                  {}, counting(), now_) {
        server_->declare("/admin");
        for (std::string_view const nsp : {"/", "/admin"})
            sockets_.push_back(checked(client_->connect(nsp), "connect"));
        settle();
        require(client_->is_connected(sockets_[0]) && client_->is_connected(sockets_[1]), "the wires do not connect");
    }

    // Packet `i` of the corpus, to the server and back; whether both have arrived.
    bool exchange(std::size_t i) {
        std::size_t const before = received_;
        current_ = i;
        emit_event(i, values_, *corpus_,
                   [&](auto const&... args) { return client_->emit(sockets_[i == 1], args...).has_value(); });
        settle();
        return received_ == before + 2;
    }

private:
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            take_client_events();
            while (auto const t = client_.poll_transmit(client_buffer_)) {
                to_server(*t);
                busy = true;
            }
            while (auto const t = server_.poll_transmit(server_buffer_)) {
                bytes_ = t->data;
                if (t->type == wire::transmit_type::send) client_.received(t->connection, bytes_, now_);
                take_client_events();
                busy = true;
            }
        }
    }

    void to_server(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) {
            server_.accepted(t.connection, "localhost", now_);
            client_.connected(t.connection, now_);
        } else if (t.type == wire::transmit_type::send) {
            bytes_ = t.data; // the wire unmasks in place
            server_.received(t.connection, bytes_, now_);
        }
        while (auto const e = server_.poll_event()) {
            if (e->type != socketio::event_type::event) continue;
            ++received_;
            emit_event(current_, values_, *corpus_,
                       [&](auto const&... args) { return server_->emit(e->socket, args...).has_value(); });
        }
    }

    void take_client_events() {
        while (auto const e = client_.poll_event())
            if (e->type == socketio::event_type::event) ++received_;
    }

    time_point now_{};
    values values_;
    corpus const* corpus_;
    wire::server<> server_;
    wire::client<> client_;
    std::vector<socketio::socket_handle> sockets_;
    std::size_t current_ = 0;
    std::size_t received_ = 0;
    std::string client_buffer_;
    std::string server_buffer_;
    std::string bytes_;
};

// The work of both protocols' codecs in such an exchange: encode and decode twice, all attachments included.
class codecs_alone {
public:
    explicit codecs_alone(corpus const& c) : values_(c), corpus_(&c) {}

    bool exchange(std::size_t i) { return one_way(i) && one_way(i); }

private:
    bool one_way(std::size_t i) {
        text_.clear();
        if (!encode(i, text_, attachments_, values_, *corpus_)) return false;
        bool complete = pass({frame_kind::text, text_});
        if (i == 4)
            for (byte_view const a : attachments_) complete = pass({frame_kind::binary, as_characters(a)});
        return complete;
    }

    // One message over a WebSocket; whether it completes a packet.
    bool pass(frame message) {
        wire_.clear();
        if (!engineio::encode(wire_, {engineio::packet_type::message, message.kind, message.data})) return false;
        auto const packet = engineio::decode({message.kind, wire_});
        if (!packet) return false;
        if (message.kind == frame_kind::text && packet->data.front() != '5') {
            auto const p = socketio::decode(packet->data);
            keep(p);
            return p.has_value();
        }
        auto const m = assembler_.push({packet->kind, packet->data});
        if (m && !*m) assembler_.retain();
        keep(m);
        return m && *m;
    }

    values values_;
    corpus const* corpus_;
    std::string text_;
    attachment_list attachments_;
    std::string wire_;
    socketio::assembler assembler_;
};

// A server with very many sockets, each alone on its connection over WebSocket, in "/" and in a room.
class crowd_of_sockets {
public:
    explicit crowd_of_sockets(std::size_t size) : server_({}, counting(), now_) {
        for (std::size_t i = 0; i != size; ++i) {
            server_.websocket_opened(i, "/socket.io/?EIO=4&transport=websocket", now_);
            drain();
            server_.websocket_received(i, {frame_kind::text, "40"}, now_);
            drain();
        }
        require(server_.socket_count() == size, "not all sockets are connected");
        require(server_.to("room").size() == size, "not all sockets are in the room");
    }

    // Every connection pings and is answered.
    void heartbeat() {
        now_ += std::chrono::seconds(26);
        server_.handle_timeout(now_);
        drain();
        for (std::size_t i = 0; i != server_.connection_count(); ++i) {
            server_.websocket_received(i, {frame_kind::text, "3"}, now_);
            drain();
        }
    }

    // P2's event to all; how many receive it.
    std::size_t broadcast(person const& ada) { return server_.to("room").emit("update", ada).value_or(0); }

    // The same event to each of them by itself.
    std::size_t emit_to_each(person const& ada) {
        std::size_t receivers = 0;
        server_.to("room").for_each(
            [&](socketio::socket_handle s) { receivers += server_.emit(s, "update", ada).has_value() ? 1u : 0u; });
        return receivers;
    }

    // Polls all transmits; returns how many of their bytes are not shared by all.
    std::size_t drain() {
        std::size_t own_bytes = 0;
        char const* shared = nullptr;
        transmits_ = 0;
        for (;;) {
            if (auto const e = server_.poll_event()) {
                if (e->type == socketio::event_type::connected) server_.join(e->socket, "room");
            } else if (auto const t = server_.poll_transmit(buffer_)) {
                ++transmits_;
                if (shared == nullptr) shared = t->data.data.data();
                if (shared != t->data.data.data()) own_bytes += t->data.data.size();
            } else {
                return own_bytes;
            }
        }
    }

    [[nodiscard]] std::size_t transmits() const { return transmits_; }

private:
    time_point now_{};
    server server_;
    std::string buffer_;
    std::size_t transmits_ = 0;
};

} // namespace bench
