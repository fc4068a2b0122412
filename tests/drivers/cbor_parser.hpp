// A parser of one's own: packets as CBOR (RFC 8949) behind a length of four bytes. A packet is an array of its type,
// its namespace, its id or null, and its payload, if it has one. Complete, but for what JSON values never need: tags
// and half floats.
#pragma once

#include <socketless/json/sink.hpp>
#include <socketless/socketio/parser.hpp>
#include <socketless/text/utf8.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace support {

//=== packets out ===//

class cbor_writer final : public socketless::json::sink {
public:
    explicit cbor_writer(std::string& out) : out_(&out) {}

    void null() override { put(0xf6); }
    void boolean(bool b) override { put(b ? 0xf5 : 0xf4); }
    void number(std::int64_t n) override {
        n < 0 ? head(1, static_cast<std::uint64_t>(-(n + 1))) : head(0, static_cast<std::uint64_t>(n));
    }
    void number(std::uint64_t n) override { head(0, n); }
    void number(double n) override {
        put(0xfb);
        put_bytes(std::bit_cast<std::uint64_t>(n), 8);
    }
    void string(std::string_view s) override {
        head(3, s.size());
        *out_ += s;
    }
    void key(std::string_view name) override { string(name); }
    void binary(socketless::byte_view bytes) override {
        head(2, bytes.size());
        *out_ += socketless::as_characters(bytes);
    }
    // Of a length that is not known yet.
    void begin_array() override { put(0x9f); }
    void end_array() override { put(0xff); }
    void begin_object() override { put(0xbf); }
    void end_object() override { put(0xff); }

private:
    void put(unsigned byte) { *out_ += static_cast<char>(byte); }
    void put_bytes(std::uint64_t n, unsigned size) {
        for (unsigned i = size; i-- != 0;) put(static_cast<unsigned>(n >> i * 8u & 0xffu));
    }
    void head(unsigned major, std::uint64_t n) {
        unsigned const size = n < 24 ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : n <= 0xffffffff ? 4 : 8;
        put(major << 5u | (size == 0 ? static_cast<unsigned>(n) : 24u + static_cast<unsigned>(std::countr_zero(size))));
        put_bytes(n, size);
    }

    std::string* out_;
};

//=== packets in ===//

class cbor_reader {
public:
    cbor_reader(std::string_view in, std::uint32_t max_depth) : in_(in), depth_left_(max_depth) {}

    struct item_head {
        unsigned major = 0;
        unsigned info = 0;
        std::uint64_t value = 0;
    };

    [[nodiscard]] bool at_end() const { return in_.empty(); }

    std::optional<item_head> head() {
        if (in_.empty()) return std::nullopt;
        auto const first = take(1);
        item_head h{static_cast<unsigned>(first >> 5u), static_cast<unsigned>(first & 0x1fu), first & 0x1fu};
        if (h.info < 24 || h.info == 31) return h;
        std::size_t const size = h.info < 28 ? std::size_t{1} << (h.info - 24) : 9;
        if (size > 8 || size > in_.size()) return std::nullopt;
        h.value = take(size);
        return h;
    }
    // The contents of a string or of a binary value.
    std::optional<std::string_view> contents(item_head const& h) {
        if (h.info == 31 || h.value > in_.size()) return std::nullopt;
        auto const bytes = in_.substr(0, static_cast<std::size_t>(h.value));
        in_.remove_prefix(bytes.size());
        if (h.major == 3 && !socketless::utf8::validate(bytes)) return std::nullopt;
        return bytes;
    }
    // Whether a container ends here.
    bool ends() {
        if (in_.empty() || in_.front() != '\xff') return false;
        in_.remove_prefix(1);
        return true;
    }

    // Writes the next value.
    bool convert(socketless::json::writer& out) {
        auto const h = head();
        if (!h) return false;
        switch (h->major) {
        case 0: out.number(h->value); return true;
        case 1:
            if (h->value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return false;
            out.number(-1 - static_cast<std::int64_t>(h->value));
            return true;
        case 2:
        case 3: {
            auto const bytes = contents(*h);
            if (!bytes) return false;
            h->major == 2 ? out.binary(socketless::as_bytes(*bytes)) : out.string(*bytes);
            return true;
        }
        case 4:
        case 5: return h->info == 31 && convert_container(out, h->major == 5);
        case 7: return convert_simple(out, *h);
        default: return false;
        }
    }

private:
    bool convert_container(socketless::json::writer& out, bool is_map) {
        if (depth_left_ == 0) return false;
        --depth_left_;
        is_map ? out.begin_object() : out.begin_array();
        while (!ends()) {
            if (is_map) {
                auto const h = head();
                auto const key = h && h->major == 3 ? contents(*h) : std::nullopt;
                if (!key) return false;
                out.key(*key);
            }
            if (!convert(out)) return false;
        }
        is_map ? out.end_object() : out.end_array();
        ++depth_left_;
        return true;
    }
    static bool convert_simple(socketless::json::writer& out, item_head const& h) {
        switch (h.info) {
        case 20:
        case 21: out.boolean(h.info == 21); return true;
        case 22: out.null(); return true;
        case 27: out.number(std::bit_cast<double>(h.value)); return true;
        default: return false;
        }
    }

    std::uint64_t take(std::size_t size) {
        std::uint64_t n = 0;
        for (std::size_t i = 0; i != size; ++i) n = n << 8u | static_cast<unsigned char>(in_[i]);
        in_.remove_prefix(size);
        return n;
    }

    std::string_view in_;
    std::uint32_t depth_left_;
};

class cbor_parser final : public socketless::socketio::parser {
public:
    [[nodiscard]] socketless::result<socketless::frame_kind> encode(socketless::socketio::outgoing_packet const& packet,
                                                                    std::string& message,
                                                                    socketless::limits const& bounds) const override {
        std::string body;
        cbor_writer out(body);
        out.begin_array();
        out.number(static_cast<std::uint64_t>(packet.type));
        out.string(packet.nsp);
        packet.id ? out.number(*packet.id) : out.null();
        if (packet.payload != nullptr)
            if (auto const written = packet.write_payload(out, bounds); !written) return written.error();
        out.end_array();
        for (unsigned i = 4; i-- != 0;) message += static_cast<char>(body.size() >> i * 8u & 0xffu);
        message += body;
        return socketless::frame_kind::binary;
    }

    [[nodiscard]] socketless::result<void> decode(socketless::frame message,
                                                  socketless::socketio::incoming_packet& packet,
                                                  socketless::limits const& bounds) const override {
        using socketless::errc;
        std::string_view const bytes = message.data;
        if (message.kind != socketless::frame_kind::binary || bytes.size() < 4)
            return socketless::error{errc::truncated_packet};
        std::uint64_t size = 0;
        for (char const c : bytes.substr(0, 4)) size = size << 8u | static_cast<unsigned char>(c);
        if (size != bytes.size() - 4) return socketless::error{errc::invalid_length};
        cbor_reader in(bytes.substr(4), bounds.max_depth);
        auto const array = in.head();
        auto const type = in.head();
        auto const nsp = in.head();
        if (!array || array->major != 4 || array->info != 31 || !type || type->major != 0 || type->value > 4 || !nsp ||
            nsp->major != 3)
            return socketless::error{errc::unknown_packet_type};
        auto const name = in.contents(*nsp);
        auto const id = in.head();
        if (!name || !id || (id->major != 0 && id->info != 22)) return socketless::error{errc::invalid_ack_id};
        packet.type = static_cast<socketless::socketio::packet_type>(type->value);
        packet.nsp = *name;
        if (id->major == 0) packet.id = id->value;
        if (in.ends()) return end(in);
        bool is_good = false;
        auto const written =
            packet.write_payload(bounds, [&](socketless::json::writer& out) { is_good = in.convert(out); });
        if (!written) return written;
        if (!is_good || !in.ends()) return socketless::error{errc::invalid_payload};
        return end(in);
    }

private:
    static socketless::result<void> end(cbor_reader const& in) {
        if (!in.at_end()) return socketless::error{socketless::errc::invalid_length};
        return {};
    }
};

} // namespace support
