// MessagePack as JSON, with its binary values as attachments. The other way is `msgpack::write(target, text)`.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/date.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/levels.hpp>
#include <socketless/msgpack/detail/number.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

namespace detail {

// Writes one value as JSON, and what is in it. What JavaScript's objects and arrays are made of is walked in one loop.
class json_converter {
public:
    explicit json_converter(json::writer& out) noexcept : out_(&out) {}

    void write(std::string_view raw) {
        char const* p = raw.data();
        char const* const end = p + raw.size();
        std::uint64_t left = 1; // keys and values of the innermost container
        while (p != end) {
            bool const is_key = in_map() && left % 2 == 0;
            value const v = part_at(p, end);
            char const* const behind = v.raw().data() + v.raw().size();
            --left;
            if (is_key && is_undefined(behind, end)) {
                p = behind + undefined_size; // JSON.stringify leaves the member out
                --left;
            } else if (is_key) {
                if (!write_key(v)) break;
                p = behind;
            } else if (v.is(kind::array) || v.is(kind::map)) {
                if (depth_ == limits::deepest || !outer_.push(left)) {
                    out_->fail(errc::depth_exceeded);
                    break;
                }
                open(v.is(kind::map));
                left = v.size() * std::uint64_t{v.is(kind::map) ? 2u : 1u};
                p = behind;
            } else {
                write_scalar(v);
                p = behind;
            }
            for (; left == 0 && depth_ != 0; left = outer_.pop()) close();
        }
        while (depth_ != 0) close();
    }

private:
    static constexpr std::ptrdiff_t undefined_size = 3;

    // A value without the parts of it that are values.
    static value part_at(char const* p, char const* end) noexcept {
        head const h = read_head(p, end);
        if (h.size == 0) return value::trusted({p, static_cast<std::size_t>(end - p)});
        auto const size = h.size + std::size_t{h.bytes()};
        return value::trusted({p, std::min(size, static_cast<std::size_t>(end - p))});
    }
    // As notepack.io before 3.0 writes it.
    static bool is_undefined(char const* p, char const* end) noexcept {
        return end - p >= undefined_size && static_cast<format>(byte_at(p)) == format::fixext1 && p[1] == 0;
    }

    [[nodiscard]] bool in_map() const noexcept { return depth_ != 0 && map_at(depth_ - 1); }
    [[nodiscard]] bool map_at(std::uint32_t level) const noexcept { return (maps_[level / 8] & 1u << level % 8) != 0; }

    void open(bool is_map) {
        std::uint8_t& byte = maps_[depth_ / 8];
        unsigned const bit = 1u << depth_ % 8;
        byte = static_cast<std::uint8_t>((byte & (bit - 1)) | (is_map ? bit : 0));
        ++depth_;
        is_map ? out_->begin_object() : out_->begin_array();
    }
    void close() {
        in_map() ? out_->end_object() : out_->end_array();
        --depth_;
    }

    bool write_key(value const& v) {
        if (v.is(kind::string)) {
            out_->key(*v.borrow_string());
        } else if (v.is(kind::integer)) {
            auto const i = read_any_integer(v.raw());
            if (i.is_negative)
                out_->key(core_detail::decimal_text(i.as_signed()).view());
            else
                out_->key(core_detail::decimal_text(i.bits).view());
        } else {
            out_->fail(errc::wrong_kind);
            return false;
        }
        return true;
    }

    void write_scalar(value const& v) {
        switch (v.kind()) {
        case kind::boolean: out_->boolean(static_cast<format>(byte_at(v.raw().data())) == format::boolean_true); break;
        case kind::integer: {
            auto const i = read_any_integer(v.raw());
            i.is_negative ? out_->number(i.as_signed()) : out_->number(i.bits);
            break;
        }
        case kind::floating: out_->number(read_double(v.raw())); break;
        case kind::string: out_->string(*v.borrow_string()); break;
        case kind::binary: out_->binary(*v.binary()); break;
        case kind::extension: write_extension(v); break;
        default: out_->null(); break;
        }
    }

    void write_extension(value const& v) {
        if (auto const bytes = v.binary()) {
            out_->binary(*bytes);
        } else if (is_undefined(v.raw().data(), v.raw().data() + v.raw().size())) {
            out_->null();
        } else if (auto const date = date_of(v.raw())) {
            date_text const text(*date);
            text.view().empty() ? out_->null() : out_->string(text.view());
        } else {
            auto const e = *v.extension();
            out_->begin_array().number(e.type).binary(e.data).end_array();
        }
    }

    json::writer* out_;
    std::uint32_t depth_ = 0;
    levels outer_;
    std::uint8_t maps_[limits::deepest / 8]; // a bit a level: whether it is a map. A byte is written when it is reached
};

} // namespace detail

/// Writes a value as the JSON that JSON.stringify makes of what notepack.io decodes:
///
///   binary values               attachments
///   keys of a map               strings; integers as their decimal text. Others fail (errc::wrong_kind)
///   NaN and the infinities      null
///   fixext 1 of type 0          undefined: the member is left out, an element is null
///   ext 8, 16, 32 of type 0     an attachment (an ArrayBuffer)
///   timestamps, fixext 8 of     what Date.prototype.toJSON gives: a string, or null out of its range
///     type 0
///   other extensions            an array of the type and an attachment
///
/// Integers keep all their digits, and doubled keys are all written. An empty value is null. What `validate` may refuse
/// as too deep fails here (errc::depth_exceeded). Linear; no recursion, no allocation of its own.
///
/// The other way needs no function of its own: a json::text is written as MessagePack by `msgpack::write(target, text)`.
inline void write_json(json::writer& out, value const& v) {
    if (v.empty())
        out.null();
    else
        detail::json_converter(out).write(v.raw());
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
