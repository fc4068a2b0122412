// What the MessagePack parser does with the packets P1 to P5 of bench/corpus.
#pragma once

#include "corpus.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/msgpack_parser.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

// Encodes the packet with the index `i` from the C++ values that JSON is made of too. `event(address, name, args...)`
// does the work.
template <class Event>
bool encode_msgpack(std::size_t i, values const& v, corpus const& c, Event event) {
    switch (i) {
    case 0: return event(socketio::address(), "message", "hello world");
    case 1: return event(socketio::address{.nsp = "/admin", .id = 17}, "update", v.ada);
    case 2: return event(socketio::address(), "history", v.chat);
    case 3: return event(socketio::address(), "sync", v.posts);
    default:
        return event(socketio::address(), "img", as_bytes(c.attachments[0]), json::object("meta", "x"),
                     as_bytes(c.attachments[1]));
    }
}

class msgpack_encoder {
public:
    msgpack_encoder(std::size_t i, values const& v, corpus const& c) : i_(i), values_(&v), corpus_(&c) {}

    bool operator()() {
        message_.clear();
        return encode_msgpack(i_, *values_, *corpus_, [this](auto const& to, auto const& name, auto const&... args) {
            return socketio::encode_msgpack_event(message_, socketio::sender::server, to, name, args...).has_value();
        });
    }

    [[nodiscard]] std::string const& message() const { return message_; }

protected:
    std::size_t i_;
    values const* values_;
    corpus const* corpus_;
    std::string message_;
};

// The same as a session does it: the values come through a json::writer.
class msgpack_emitter : msgpack_encoder {
public:
    using msgpack_encoder::message;
    using msgpack_encoder::msgpack_encoder;

    bool operator()() {
        message_.clear();
        return encode_msgpack(i_, *values_, *corpus_, [this](auto const& to, auto const& name, auto const&... args) {
            auto const write = [&](json::writer& out) {
                out.begin_array().string(name);
                (out.value(args), ...);
                out.end_array();
            };
            socketio::outgoing_packet::write_function const payload(write);
            socketio::parser const& parser = socketio::msgpack_parser;
            return parser.encode({.nsp = to.nsp, .id = to.id, .payload = &payload}, message_, limits()).has_value();
        });
    }
};

// All that a message says, read in place: type, namespace, id, name, each argument.
class msgpack_decoder {
public:
    explicit msgpack_decoder(std::string message) : message_(std::move(message)) {}

    bool operator()() const {
        auto const message = engineio::decode({frame_kind::binary, message_});
        if (!message) return false;
        auto const p = socketio::decode_msgpack(message->data);
        if (!p) return false;
        keep(p->type);
        keep(p->nsp);
        keep(p->id);
        for (msgpack::value const v : p->data.elements()) {
            keep(v.raw());
            keep(v.binary());
        }
        return true;
    }

private:
    std::string message_;
};

// The same as a session does it: what applications get is JSON with attachments.
class msgpack_session {
public:
    explicit msgpack_session(std::string message) : message_(std::move(message)) {}

    bool operator()() {
        auto const message = engineio::decode({frame_kind::binary, message_});
        if (!message) return false;
        auto const m =
            packets_->decode({message->kind, message->data}, text_check::done, socketio::revision::v5, limits());
        return m && read_all(m->packet, m->attachments);
    }

private:
    std::string message_;
    std::unique_ptr<socketio::detail::packets_of_parser> packets_ =
        std::make_unique<socketio::detail::packets_of_parser>(socketio::msgpack_parser, socketio::sender::server);
};

// Calls `measure(name, work)` for each case.
template <class Measure>
void for_each_msgpack_case(corpus const& c, values const& v, Measure measure) {
    for (std::size_t i = 0; i != c.packets.size(); ++i) {
        std::string const& name = c.packets[i].name;
        msgpack_encoder encode(i, v, c);
        msgpack_emitter emit(i, v, c);
        require(encode() && emit() && emit.message() == encode.message(), name + " is not encoded");
        measure("msgpack_decode/" + name, msgpack_decoder(encode.message()));
        measure("msgpack_session/" + name, msgpack_session(encode.message()));
        measure("msgpack_encode/" + name, std::move(encode));
        measure("msgpack_emit/" + name, std::move(emit));
    }
}

} // namespace bench
