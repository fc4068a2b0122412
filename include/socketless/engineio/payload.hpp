// Engine.IO payloads: the packets of a long-polling body, read and written one by one, in every form there is.
#pragma once

#include <socketless/core/detail/made_in_place.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/detail/payload_v3.hpp>
#include <socketless/engineio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The forms of a long-polling body:
///
///     v4          packet *( %x1E packet )                              binary as base64
///     v3_text     *( length ":" packet )                               length in UTF-16 code units; binary as base64
///     v3_binary   1*( ( %x00 / %x01 ) 1*( %x00-09 ) %xFF packet )      kind, length in bytes, one digit a byte
///
/// Revision 3 sends v3_binary, as application/octet-stream, where a packet is binary and the client has not
/// asked for base64 (b64=1); else v3_text.
/// Source: Engine.IO protocol v4, "Packet encoding", "HTTP long-polling"; v3, "Encoding", "Payload".
enum class payload_format : std::uint8_t { v4, v3_text, v3_binary };

/// What stands between two packets of a v4 body (ASCII record separator).
inline constexpr char packet_separator = '\x1e';

/// The revision to which the form belongs.
[[nodiscard]] constexpr revision revision_of(payload_format format) noexcept {
    return format == payload_format::v4 ? revision::v4 : revision::v3;
}

/// The form of a body of revision `r` that comes, or goes, as text or as binary.
[[nodiscard]] constexpr payload_format format_of(revision r, frame_kind kind) noexcept {
    if (r == revision::v4) return payload_format::v4;
    return kind == frame_kind::binary ? payload_format::v3_binary : payload_format::v3_text;
}

namespace detail {

constexpr result<body_part> find_part(std::string_view body, std::size_t position, payload_format format) noexcept {
    if (format == payload_format::v3_text) return find_part_v3_text(body, position);
    if (format == payload_format::v3_binary) return find_part_v3_binary(body, position);
    std::size_t const end = std::min(body.find(packet_separator, position), body.size());
    return body_part{frame_kind::text, position, end, end + 1};
}

} // namespace detail

/// Reads a long-polling body packet by packet; it decodes a packet when you ask for it, and allocates nothing.
///
///     payload_reader reader(body);            // body: mutable, base64 is decoded in place
///     while (auto p = reader.next()) {
///         if (!*p) return p->error();         // the packets before it were good
///         use(**p);
///     }
///
/// Errors of `next`, offsets counted from the start of the body: errc::empty_packet (also for an empty body, and
/// in v4 for a leading, doubled or trailing separator; "0:" in v3_text is skipped), errc::invalid_length,
/// errc::truncated_packet, errc::too_many_packets, and those of `decode`. After an error, and at the end, `next`
/// returns nothing.
class payload_reader {
public:
    /// Decodes base64 in place. The packets are borrowed from `body`.
    constexpr explicit payload_reader(std::span<char> body, payload_format format = payload_format::v4,
                                      limits const& bounds = {}) noexcept
        : body_(body.data(), body.size()), in_place_(body.data()), packets_left_(bounds.max_packets), format_(format) {}

    /// Decodes base64 into `buffer`, anew for each packet: binary lives until the next call. As many bytes
    /// as `base64::max_decoded_size(body.size())` are always enough.
    constexpr payload_reader(std::string_view body, std::span<char> buffer, payload_format format = payload_format::v4,
                             limits const& bounds = {}) noexcept
        : body_(body), buffer_(buffer), packets_left_(bounds.max_packets), format_(format) {}

    /// The next packet, or an error, or nothing at the end. Linear in the size of the packet.
    [[nodiscard]] constexpr std::optional<result<packet>> next() noexcept {
        if (done_) return std::nullopt;
        if (body_.empty()) return fail({errc::empty_packet, 0});
        for (;;) {
            auto const part = detail::find_part(body_, position_, format_);
            if (!part) return fail(part.error());
            position_ = part->next;
            // A v4 body ends with a packet, not with a separator: its last part ends where the body does.
            done_ = format_ == payload_format::v4 ? part->end == body_.size() : part->next == body_.size();
            bool const holds_packet = part->begin != part->end || format_ != payload_format::v3_text;
            if (holds_packet) {
                return std::optional<result<packet>>(core_detail::made_in_place{[&] { return decode_part(*part); }});
            }
            if (done_) return std::nullopt;
        }
    }

private:
    constexpr result<packet> fail(error e) noexcept {
        done_ = true;
        return e;
    }

    constexpr result<packet> decode_part(detail::body_part const& part) noexcept {
        if (packets_left_ == 0) return fail({errc::too_many_packets, part.begin});
        --packets_left_;
        std::size_t const size = part.end - part.begin;
        auto const buffer = in_place_ == nullptr ? buffer_ : std::span<char>(in_place_ + part.begin, size);
        auto p = decode({part.kind, {body_.data() + part.begin, size}}, revision_of(format_), buffer);
        if (!p) {
            auto e = p.error();
            if (e.code != errc::buffer_too_small) e.offset += part.begin;
            p = fail(e);
        }
        return p;
    }

    std::string_view body_;
    char* in_place_ = nullptr;
    std::span<char> buffer_;
    std::size_t position_ = 0;
    std::size_t packets_left_;
    payload_format format_;
    bool done_ = false;
};

/// Puts packets into a long-polling body, as many as `max_payload` bytes allow, with all that stands around them. The
/// first packet goes in whatever its size, as in the reference: it would never go otherwise.
///
///     payload_writer writer(body, handshake.max_payload);
///     while (!queue.empty() && *writer.push(queue.front())) queue.pop();
template <character_container Container>
class payload_writer {
public:
    /// Appends to `out`, which outlives the writer.
    constexpr payload_writer(Container& out, std::size_t max_payload,
                             payload_format format = payload_format::v4) noexcept
        : out_(&out), begin_(out.size()), max_payload_(max_payload), format_(format) {}

    /// Appends `p` and returns true, or returns false and appends nothing where it would not fit.
    /// Errors, which append nothing either: errc::invalid_utf8 for text, errc::unknown_packet_type for binary
    /// that is not a message, errc::separator_in_text for text that would fall apart in a v4 body (JSON never has
    /// a record separator).
    [[nodiscard]] constexpr result<bool> push(packet const& p) {
        if (auto const good = detail::check(p); !good) return good.error();
        if (format_ == payload_format::v4 && p.kind == frame_kind::text) {
            auto const separator = p.data.find(packet_separator);
            if (separator != std::string_view::npos) return error{errc::separator_in_text, separator};
        }
        std::size_t const used = out_->size() - begin_;
        auto const write = [&](core_detail::output& out) -> result<void> {
            put(out, p, used == 0);
            return {};
        };
        if (used != 0) {
            core_detail::output measure(nullptr, 0);
            put(measure, p, false);
            if (used > max_payload_ || measure.size() > max_payload_ - used) return false;
        }
        return core_detail::write_to(*out_, write).transform([](std::size_t) { return true; });
    }

private:
    constexpr void put(core_detail::output& out, packet const& p, bool first) const {
        switch (format_) {
        case payload_format::v3_text: return detail::put_v3_text(out, p);
        case payload_format::v3_binary: return detail::put_v3_binary(out, p);
        case payload_format::v4:
            if (!first) out.put(packet_separator);
            detail::put_text(out, p, revision::v4);
        }
    }

    Container* out_;
    std::size_t begin_;
    std::size_t max_payload_;
    payload_format format_;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
