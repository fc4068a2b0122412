// Points in time, which MessagePack has as extensions, as the text that JavaScript's Date.prototype.toJSON gives.
#pragma once

#include <socketless/msgpack/detail/format.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// The milliseconds since 1970 of an extension that notepack.io reads as a Date, computed as it does: the timestamps of
// the specification (32, 64 and 96 bits), and the milliseconds that notepack.io before 3.0 writes.
constexpr std::optional<double> date_of(std::string_view raw) noexcept {
    constexpr double two_to_32 = 4294967296.0;
    constexpr unsigned timestamp = 0xff;
    auto const is = [raw](unsigned f, unsigned type, std::size_t size) {
        return raw.size() == size && format_of(raw) == f &&
               byte_at(raw.data() + size - (f == format::ext8 ? 13 : size - 1)) == type;
    };
    auto const unsigned_at = [raw](std::size_t at) { return static_cast<double>(load<4>(raw.data() + at)); };
    auto const signed_at = [raw](std::size_t at) {
        return static_cast<double>(static_cast<std::int32_t>(load<4>(raw.data() + at)));
    };
    if (is(format::fixext4, timestamp, 6)) return unsigned_at(2) * 1e3;
    if (is(format::fixext8, 0, 10)) return signed_at(2) * two_to_32 + unsigned_at(6);
    if (is(format::fixext8, timestamp, 10)) {
        auto const high = load<4>(raw.data() + 2);
        double const seconds = static_cast<double>(high & 3u) * two_to_32 + unsigned_at(6);
        return seconds * 1e3 + static_cast<double>(high >> 2u) / 1e6;
    }
    if (is(format::ext8, timestamp, 15))
        return (signed_at(7) * two_to_32 + unsigned_at(11)) * 1e3 + unsigned_at(3) / 1e6;
    return std::nullopt;
}

// ISO 8601 with milliseconds (ECMA-262, 21.4.1.32).
class date_text {
public:
    // Empty if JavaScript has no Date so far from 1970. Precondition: not NaN.
    constexpr explicit date_text(double milliseconds) noexcept {
        constexpr double farthest = 8.64e15;
        if (milliseconds < -farthest || milliseconds > farthest) return;
        auto const time = static_cast<std::int64_t>(milliseconds);
        constexpr std::int64_t a_day = 86'400'000;
        std::int64_t const of_day = (time % a_day + a_day) % a_day;
        put_date((time - of_day) / a_day);
        put('T');
        put_digits(of_day / 3'600'000, 2);
        put(':');
        put_digits(of_day / 60'000 % 60, 2);
        put(':');
        put_digits(of_day / 1'000 % 60, 2);
        put('.');
        put_digits(of_day % 1'000, 3);
        put('Z');
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {characters_, size_}; }

private:
    // The calendar as Howard Hinnant's "chrono-compatible low-level date algorithms" computes it: eras of 400 years
    // that begin in March.
    constexpr void put_date(std::int64_t day) noexcept {
        constexpr std::int64_t days_of_era = 146'097;
        std::int64_t const since = day + 719'468;
        std::int64_t const era = (since >= 0 ? since : since - (days_of_era - 1)) / days_of_era;
        std::int64_t const of_era = since - era * days_of_era;
        std::int64_t const year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
        std::int64_t const of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        std::int64_t const month = (5 * of_year + 2) / 153; // from March on
        put_year(year_of_era + era * 400 + (month >= 10 ? 1 : 0));
        put('-');
        put_digits(month < 10 ? month + 3 : month - 9, 2);
        put('-');
        put_digits(of_year - (153 * month + 2) / 5 + 1, 2);
    }
    constexpr void put_year(std::int64_t year) noexcept {
        if (year >= 0 && year <= 9'999) return put_digits(year, 4);
        put(year < 0 ? '-' : '+');
        put_digits(year < 0 ? -year : year, 6);
    }
    constexpr void put_digits(std::int64_t n, std::size_t width) noexcept {
        for (std::size_t i = width; i != 0; n /= 10) characters_[size_ + --i] = static_cast<char>('0' + n % 10);
        size_ += width;
    }
    constexpr void put(char c) noexcept { characters_[size_++] = c; }

    char characters_[32] = {}; // +275760-09-13T00:00:00.000Z
    std::size_t size_ = 0;
};

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
