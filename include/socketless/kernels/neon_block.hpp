// Sixteen bytes in a register of ARM.
#pragma once

#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_NEON

#include <arm_neon.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::neon {

/// See kernels::scalar::lanes. There is no instruction that takes a bit of each lane: these are four.
class lanes {
public:
    lanes() noexcept = default;
    explicit lanes(std::uint64_t nibbles) noexcept : nibbles_(nibbles) {}

    [[nodiscard]] bool any() const noexcept { return nibbles_ != 0; }
    [[nodiscard]] std::size_t first() const noexcept {
        return static_cast<std::size_t>(std::countr_zero(nibbles_)) / 4;
    }
    [[nodiscard]] lanes operator|(lanes other) const noexcept { return lanes(nibbles_ | other.nibbles_); }

private:
    std::uint64_t nibbles_ = 0;
};

/// See kernels::scalar::block.
class block {
public:
    static constexpr std::size_t size = 16;

    [[nodiscard]] static block load(char const* p) noexcept {
        return block(vld1q_u8(reinterpret_cast<std::uint8_t const*>(p)));
    }
    [[nodiscard]] static block fill(std::uint64_t bytes) noexcept { return pair(bytes, bytes); }
    /// The bytes of one word behind those of another.
    [[nodiscard]] static block pair(std::uint64_t first, std::uint64_t second) noexcept {
        return block(vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(first), vcreate_u64(second))));
    }
    [[nodiscard]] static block repeat(std::uint32_t key) noexcept {
        return block(vreinterpretq_u8_u32(vdupq_n_u32(key)));
    }
    void store(char* p) const noexcept { vst1q_u8(reinterpret_cast<std::uint8_t*>(p), bytes_); }

    [[nodiscard]] friend block operator|(block a, block b) noexcept { return block(vorrq_u8(a.bytes_, b.bytes_)); }
    [[nodiscard]] friend block operator^(block a, block b) noexcept { return block(veorq_u8(a.bytes_, b.bytes_)); }

    [[nodiscard]] lanes specials() const noexcept {
        uint8x16_t const quotes = vceqq_u8(bytes_, vdupq_n_u8('"'));
        uint8x16_t const backslashes = vceqq_u8(bytes_, vdupq_n_u8('\\'));
        return all_of(vorrq_u8(vorrq_u8(quotes, backslashes), vcltq_u8(bytes_, vdupq_n_u8(0x20))));
    }
    [[nodiscard]] lanes non_ascii() const noexcept { return all_of(vcgeq_u8(bytes_, vdupq_n_u8(0x80))); }

private:
    explicit block(uint8x16_t bytes) noexcept : bytes_(bytes) {}

    // Each lane is 0 or 255.
    static lanes all_of(uint8x16_t found) noexcept {
        uint8x8_t const nibbles = vshrn_n_u16(vreinterpretq_u16_u8(found), 4);
        return lanes(vget_lane_u64(vreinterpret_u64_u8(nibbles), 0));
    }

    uint8x16_t bytes_;
};

} // namespace socketless::inline v0::kernels::neon

#include <socketless/core/detail/epilogue.hpp>

#endif
