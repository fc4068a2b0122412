// What sessions do with a parser: the part of socketio/parser.hpp that needs the rules of packets. With
// SOCKETLESS_SEPARATE_COMPILATION only source.hpp includes it.
#pragma once

#include <socketless/core/detail/separate.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/detail/parsed_packets.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/parser.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/text/utf8.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

namespace detail {

// The type of a packet, whether it has attachments or not.
constexpr packet_type without_attachments(packet_type type) noexcept {
    if (type == packet_type::binary_event) return packet_type::event;
    return type == packet_type::binary_ack ? packet_type::ack : type;
}
constexpr packet_type with_attachments(packet_type type) noexcept {
    return is_event(type) ? packet_type::binary_event : packet_type::binary_ack;
}

class packets_of_parser final : public parsed_packets {
public:
    packets_of_parser(parser const& p, sender own_side) noexcept : parser_(&p), sender_(own_side) {}

    result<void> put_array(destination const& where, packet_type type, address const& to,
                           json::detail::values const& array, limits const& bounds) override {
        if (auto const good = check_address(to); !good) return good.error();
        bool is_suspicious = false;
        auto const write = [&](json::writer& out) {
            out.value(array);
            is_suspicious = out.may_hold_placeholders();
        };
        outgoing_packet::write_function const payload(write);
        auto const message = encode({type, to.nsp, to.id, sender_, &payload}, bounds);
        if (is_suspicious && message) { // the receiver would refuse what the default encoding refuses: see `check`
            std::string text;
            attachment_list attachments;
            auto const good = encode_packet(text, &attachments, no_limits, type, to, payload_shape::known, write);
            if (!good) return good.error();
        }
        return push(where, message);
    }
    [[nodiscard]] result<frame> encode_again(std::string_view text, std::span<byte_view const> attachments) override {
        header const h = decode_header(text, revision::v5, no_limits).value_or(header());
        argument const whole(json::text::trusted(h.payload), attachments);
        auto const write = [&whole](json::writer& out) { out.value(whole); };
        outgoing_packet::write_function const payload(write);
        return encode({without_attachments(h.type), h.nsp, h.id, sender_, h.payload.empty() ? nullptr : &payload},
                      no_limits);
    }

    result<void> put(destination const& where, encode_function encode) override {
        std::string text;
        attachment_list attachments;
        if (auto const encoded = encode(text, attachments); !encoded) return encoded.error();
        return push(where, encode_again(text, attachments));
    }

    [[nodiscard]] result<message> decode(frame f, text_check text, revision r, limits const& bounds) override {
        incoming_.clear();
        if (f.kind == frame_kind::text && text == text_check::due)
            if (auto const valid = utf8::validate(f.data); !valid) return valid.error();
        if (auto const decoded = parser_->decode(f, incoming_, bounds); !decoded) return decoded.error();
        return check(r);
    }

    // A string that is assigned an empty one would keep its memory.
    void shrink_message() noexcept override {
        if (message_.capacity() > largest_idle_buffer) std::string().swap(message_);
    }
    void shrink_packet() noexcept override {
        if (incoming_.size() <= largest_idle_buffer) return;
        incoming_packet fresh;
        std::swap(incoming_, fresh);
    }

private:
    result<void> push(destination const& where, result<frame> const& message) {
        if (!message) return message.error();
        if (message->data.size() > where.max_size) return error{errc::message_too_large};
        char const head = message->kind == frame_kind::text ? where.before.text : where.before.attachment;
        where.queue.push(message->kind, {&head, head == core_detail::frame_queue::none ? 0u : 1u}, message->data);
        shrink_message();
        return {};
    }

    [[nodiscard]] result<frame> encode(outgoing_packet packet, limits const& bounds) {
        packet.sender = sender_;
        message_.clear();
        auto const kind = parser_->encode(packet, message_, bounds);
        if (!kind) return kind.error();
        if (*kind == frame_kind::text)
            if (auto const good = check_text(message_); !good) return good.error();
        return frame{*kind, message_};
    }
    static constexpr std::size_t largest_idle_buffer = 4096;

    // Whether each transport can carry it: this character separates packets in long-polling.
    [[nodiscard]] static result<void> check_text(std::string_view text) {
        auto const separator = text.find('\x1e');
        if (separator != std::string_view::npos) return error{errc::separator_in_text, separator};
        return utf8::validate(text);
    }

    // What the default encoding cannot say, no other may: whoever keeps or passes on a packet relies on that.
    [[nodiscard]] result<message> check(revision r) const {
        packet p;
        if (is_binary(incoming_.type)) return error{errc::unknown_packet_type};
        p.type = incoming_.type;
        p.nsp = incoming_.nsp;
        p.id = incoming_.id;
        if (auto const good = check_address({p.nsp, p.id}); !good) return good.error();
        if (is_ack(p.type) && !p.id) return error{errc::missing_ack_id};
        if (r == revision::v4 && p.type == packet_type::connect) {
            if (auto const question = p.nsp.find('?'); question != std::string_view::npos) {
                p.query = p.nsp.substr(question + 1);
                p.nsp = p.nsp.substr(0, question);
            }
        }
        p.data = json::text::trusted(incoming_.payload);
        if (auto const good = check_payload(p.type, p.data, r); !good) return good.error().code;
        if (!incoming_.attachments.empty()) {
            if (!is_event(p.type) && !is_ack(p.type)) return error{errc::unexpected_binary};
            auto const count = incoming_.attachments.size();
            if (auto const good = check_own_placeholders(p.data.raw(), count); !good) return good.error();
            p.type = with_attachments(p.type);
            p.attachments = static_cast<std::uint32_t>(count);
        }
        return message{p, incoming_.attachments};
    }

    parser const* parser_;
    sender sender_;
    std::string message_;
    incoming_packet incoming_;
};

} // namespace detail

SOCKETLESS_INLINE std::unique_ptr<detail::parsed_packets> parser::begin(socketio::sender own_side) const {
    return std::make_unique<detail::packets_of_parser>(*this, own_side);
}

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
