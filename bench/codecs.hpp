// What the codecs do with the packets of bench/corpus: from the bytes of a frame or a body to all that its packets say,
// and from C++ values to those bytes.
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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

//=== decoding ===//

inline bool read_event(engineio::packet const& message) {
    auto const p = socketio::decode(message.data, socketio::revision::v5, {}, text_check::done);
    return p && read_all(*p);
}

// An event without attachments, from its frame.
inline bool decode_frame(std::string_view text) {
    auto const message = engineio::decode({frame_kind::text, text});
    return message && message->type == engineio::packet_type::message && read_event(*message);
}

// Whether `f` completes a packet.
inline bool push(socketio::assembler& a, engineio::packet const& message) {
    auto const m = a.push({message.kind, message.data}, text_check::done);
    return m && *m && read_all((*m)->packet, (*m)->attachments);
}

// The packet with the index `i`, from its frames.
class decoder {
public:
    decoder(std::size_t i, corpus const& c) : corpus_(&c), text_(c.packets[i].frame), is_binary_(i == 4) {}

    bool operator()() {
        if (!is_binary_) return decode_frame(text_);
        auto const message = engineio::decode({frame_kind::text, text_});
        if (!message || message->type != engineio::packet_type::message) return false;
        bool complete = push(assembler_, *message);
        for (std::string const& a : corpus_->attachments) {
            auto const attachment = engineio::decode({frame_kind::binary, a});
            complete = attachment && push(assembler_, *attachment);
        }
        return complete;
    }

private:
    corpus const* corpus_;
    std::string_view text_;
    bool is_binary_;
    socketio::assembler assembler_;
};

// All packets of a body. Leaves the body as it is, so that it can be read again.
class body_decoder {
public:
    explicit body_decoder(body const& b)
        : bytes_(b.bytes), buffer_(base64::max_decoded_size(b.bytes.size()), '\0'), expected_(b.packets) {}

    bool operator()() {
        std::size_t packets = 0;
        engineio::payload_reader reader(bytes_, buffer_);
        while (auto const p = reader.next()) {
            if (!*p || (*p)->type != engineio::packet_type::message) return false;
            bool const is_plain =
                (*p)->kind == frame_kind::text && assembler_.attachments_due() == 0 && !(*p)->data.starts_with('5');
            if (is_plain ? read_event(**p) : push(assembler_, **p)) ++packets;
        }
        return packets == expected_;
    }

private:
    std::string_view bytes_;
    std::string buffer_;
    std::size_t expected_;
    socketio::assembler assembler_;
};

//=== encoding ===//

// Sends each packet of the corpus to its frames or its body.
class encoder {
public:
    encoder(corpus const& c, values const& v) : corpus_(&c), values_(&v) {}

    // The frame of the packet with the index `i`. Its attachments are frames as they are.
    bool packet(std::size_t i) {
        text_.assign(1, '4');
        return append(i).has_value();
    }

    // The body with the index `i`.
    bool body(std::size_t i) {
        text_.clear();
        return i == 0 ? people() : files();
    }

    [[nodiscard]] std::string const& text() const { return text_; }
    [[nodiscard]] attachment_list const& attachments() const { return attachments_; }

private:
    result<std::size_t> append(std::size_t i) { return encode(i, text_, attachments_, *values_, *corpus_); }

    void begin_packet() {
        if (!text_.empty()) text_ += engineio::packet_separator;
        text_ += '4';
    }

    bool people() {
        for (update const& u : values_->updates) {
            begin_packet();
            if (!socketio::encode_event(text_, {.nsp = "/admin", .id = u.id}, "update", u.who)) return false;
        }
        return true;
    }

    bool files() {
        for (file_part const& f : values_->files) {
            begin_packet();
            if (!socketio::encode_event(text_, attachments_, {}, "file", as_bytes(f.bytes), f.about)) return false;
            for (byte_view const a : attachments_) {
                text_ += engineio::packet_separator;
                engineio::packet const p{engineio::packet_type::message, frame_kind::binary, as_characters(a)};
                if (!engineio::encode_as_text(text_, p)) return false;
            }
        }
        return true;
    }

    corpus const* corpus_;
    values const* values_;
    std::string text_;
    attachment_list attachments_;
};

//=== the measured cases ===//

// Whether all packets are decoded, and encoded to the bytes of the corpus.
inline void check(corpus const& c, values const& v) {
    encoder e(c, v);
    for (std::size_t i = 0; i != c.packets.size(); ++i) {
        sample const& s = c.packets[i];
        require(decoder(i, c)(), s.name + " is not decoded");
        require(e.packet(i) && e.text() == s.frame, s.name + " is encoded to " + e.text().substr(0, 300));
    }
    for (std::size_t i = 0; i != c.bodies.size(); ++i) {
        body const& b = c.bodies[i];
        require(body_decoder(b)(), b.name + " is not decoded");
        require(e.body(i) && e.text() == b.bytes, b.name + " is encoded to " + e.text().substr(0, 300));
    }
}

// Calls `measure(name, packets, work)` for each case: one call of `work() -> bool` does that many packets.
template <class Measure>
void for_each_codec_case(corpus const& c, values const& v, Measure measure) {
    for (sample const& s : c.packets) {
        measure("decode_header/" + s.name, std::size_t{1}, [text = s.packet()] {
            auto const h = socketio::decode_header(text);
            keep(h);
            return h.has_value();
        });
    }
    for (sample const& s : c.packets) {
        measure("decode_packet/" + s.name, std::size_t{1}, [text = s.packet()] {
            auto const p = socketio::decode(text);
            keep(p);
            return p.has_value();
        });
    }
    for (std::size_t i = 0; i != c.packets.size(); ++i)
        measure("decode/" + c.packets[i].name, std::size_t{1}, decoder(i, c));
    for (body const& b : c.bodies) measure("decode/" + b.name, b.packets, body_decoder(b));
    for (std::size_t i = 0; i != c.packets.size(); ++i)
        measure("encode/" + c.packets[i].name, std::size_t{1},
                [e = encoder(c, v), i]() mutable { return e.packet(i); });
    for (std::size_t i = 0; i != c.bodies.size(); ++i)
        measure("encode/" + c.bodies[i].name, c.bodies[i].packets,
                [e = encoder(c, v), i]() mutable { return e.body(i); });
}

} // namespace bench
