// MessagePack as JSON, with its binary values as attachments.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/date.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/levels.hpp>
#include <socketless/msgpack/detail/number.hpp>
#include <socketless/msgpack/kind.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// Writes one value as JSON, and what is in it. What JavaScript's objects and arrays are made of is walked in one loop.
class json_converter {
public:
    // With more than `max_binary` binary values it fails (errc::too_many_attachments).
    explicit json_converter(json::writer& out, std::size_t max_binary = static_cast<std::size_t>(-1)) noexcept
        : out_(&out), binary_left_(max_binary) {}

    void write(std::string_view raw) {
        char const* p = raw.data();
        char const* const end = p + raw.size();
        std::uint64_t left = 1; // keys and values of the innermost container
        while (p != end) {
            bool const is_key = in_map() && left % 2 == 0;
            part const v(p, end);
            p = v.end();
            --left;
            if (is_key) {
                // A container would stand here without what is in it.
                if (v.head.kind != kind::string && v.head.kind != kind::integer) {
                    out_->fail(errc::wrong_kind);
                    break;
                }
                if (part const member(p, end); is_undefined(member.raw, member.head)) {
                    p = member.end(); // JSON.stringify leaves the member out
                    --left;
                } else {
                    write_key(v);
                }
            } else if (v.head.kind == kind::array || v.head.kind == kind::map) {
                if (depth_ == limits::deepest || !outer_.push(left)) {
                    out_->fail(errc::depth_exceeded);
                    break;
                }
                open(v.head.kind == kind::map);
                left = v.head.parts();
            } else {
                write_scalar(v);
            }
            for (; left == 0 && depth_ != 0; left = outer_.pop()) close();
        }
        if (in_map() && left % 2 != 0) out_->null(); // bytes are missing
        while (depth_ != 0) close();
    }

private:
    // A value without the parts of it that are values.
    struct part {
        detail::head head;
        std::string_view raw;

        part(char const* p, char const* end) noexcept
            : head(read_head(p, end)), raw(p, static_cast<std::size_t>(end - p)) {
            if (head.size != 0) raw = raw.substr(0, head.size + std::size_t{head.bytes()});
        }
        [[nodiscard]] char const* end() const noexcept { return raw.data() + raw.size(); }
        [[nodiscard]] std::string_view contents() const noexcept { return contents_of(raw, head); }
    };

    [[nodiscard]] bool in_map() const noexcept { return depth_ != 0 && map_at(depth_ - 1); }
    [[nodiscard]] bool map_at(std::uint32_t level) const noexcept { return (maps_[level / 8] & 1u << level % 8) != 0; }

    void open(bool is_map) {
        std::uint8_t& byte = maps_[depth_ / 8];
        unsigned const bit = 1u << depth_ % 8;
        if (bit == 1) byte = 0;
        byte = static_cast<std::uint8_t>((byte & (bit - 1)) | (is_map ? bit : 0));
        ++depth_;
        is_map ? out_->begin_object() : out_->begin_array();
    }
    void close() {
        in_map() ? out_->end_object() : out_->end_array();
        --depth_;
    }

    // Precondition: a string or an integer.
    void write_key(part const& v) {
        if (v.head.kind == kind::string) {
            out_->key(v.contents());
            return;
        }
        auto const i = read_any_integer(v.raw);
        if (i.is_negative)
            out_->key(core_detail::decimal_text(i.as_signed()).view());
        else
            out_->key(core_detail::decimal_text(i.bits).view());
    }

    void write_scalar(part const& v) {
        switch (v.head.kind) {
        case kind::boolean: out_->boolean(format_of(v.raw) == format::boolean_true); break;
        case kind::integer: {
            auto const i = read_any_integer(v.raw);
            i.is_negative ? out_->number(i.as_signed()) : out_->number(i.bits);
            break;
        }
        case kind::floating: out_->number(read_double(v.raw)); break;
        case kind::string: out_->string(v.contents()); break;
        case kind::binary: write_binary(v.contents()); break;
        case kind::extension: write_extension(v); break;
        default: out_->null(); break;
        }
    }

    void write_binary(std::string_view contents) {
        if (binary_left_-- == 0) {
            out_->fail(errc::too_many_attachments);
            binary_left_ = 0;
        } else {
            out_->binary(as_bytes(contents));
        }
    }

    void write_extension(part const& v) {
        if (is_array_buffer(v.raw, v.head)) {
            write_binary(v.contents());
        } else if (is_undefined(v.raw, v.head)) {
            out_->null();
        } else if (auto const date = date_of(v.raw)) {
            date_text const text(*date);
            text.view().empty() ? out_->null() : out_->string(text.view());
        } else {
            out_->begin_array().number(type_of(v.raw, v.head));
            write_binary(v.contents());
            out_->end_array();
        }
    }

    json::writer* out_;
    std::size_t binary_left_;
    std::uint32_t depth_ = 0;
    levels outer_;
    std::uint8_t maps_[limits::deepest / 8]; // a bit a level: whether it is a map. A byte is written when it is reached
};

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
