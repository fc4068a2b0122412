// What the MessagePack parser does with the packets P1 to P5 of bench/corpus.
#pragma once

#include "corpus.hpp"

#include <socketless/socketless.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bench {

// Calls `use(outgoing_packet const&)` with the packet with the index `i`, from the C++ values that JSON is made of too.
template <class Use>
bool with_outgoing_packet(std::size_t i, values const& v, corpus const& c, Use use) {
    auto const with = [&use](std::string_view nsp, std::optional<std::uint64_t> id, auto const& write) {
        socketio::outgoing_packet::write_function const payload(write);
        return use(socketio::outgoing_packet{.nsp = nsp, .id = id, .payload = &payload});
    };
    auto const event = [&with](std::string_view name, auto const&... args) {
        return with("/", std::nullopt, [&](json::writer& out) {
            out.begin_array().string(name);
            (out.value(args), ...);
            out.end_array();
        });
    };
    switch (i) {
    case 0: return event("message", "hello world");
    case 1:
        return with("/admin", 17,
                    [&v](json::writer& out) { out.begin_array().string("update").value(v.ada).end_array(); });
    case 2: return event("history", v.chat);
    case 3: return event("sync", v.posts);
    default: return event("img", as_bytes(c.attachments[0]), json::object("meta", "x"), as_bytes(c.attachments[1]));
    }
}

class msgpack_encoder {
public:
    msgpack_encoder(std::size_t i, values const& v, corpus const& c) : i_(i), values_(&v), corpus_(&c) {}

    bool operator()() {
        message_.clear();
        return with_outgoing_packet(i_, *values_, *corpus_, [this](socketio::outgoing_packet const& p) {
            socketio::parser const& parser = socketio::msgpack_parser;
            return parser.encode(p, message_, limits()).has_value();
        });
    }

    [[nodiscard]] std::string const& message() const { return message_; }

private:
    std::size_t i_;
    values const* values_;
    corpus const* corpus_;
    std::string message_;
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
        require(encode(), name + " is not encoded");
        measure("msgpack_decode/" + name, msgpack_decoder(encode.message()));
        measure("msgpack_session/" + name, msgpack_session(encode.message()));
        measure("msgpack_encode/" + name, std::move(encode));
    }
}

} // namespace bench
