// Kernels: each that this machine has does with any text what a loop over its bytes does. The first byte of the input
// is how the text lies in memory, the next four are a key.

#include "input.hpp"
#include "tools/kernels.hpp"
#include "tools/mutations.hpp"

#include <socketless/text/base64.hpp>
#include <socketless/text/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using fuzz::check;

// The text `gap` bytes behind the start of memory, with nothing behind it.
class placed_text {
public:
    placed_text(std::string_view text, std::size_t gap)
        : memory_(std::string(gap, '?') + std::string(text)), gap_(gap) {}

    [[nodiscard]] std::string_view view() const { return memory_.view().substr(gap_); }
    [[nodiscard]] char* data() const { return memory_.span().data() + gap_; }

private:
    support::exact_copy memory_;
    std::size_t gap_;
};

void compare(support::kernel_set const& k, std::string_view text, std::size_t gap, std::uint32_t key) {
    placed_text const placed(text, gap);
    check(support::judges_utf8(k, placed.view()));
    check(support::finds_special(k, placed.view()));
    check(support::masks(k, placed.data(), text.size(), key));

    std::string const encoded = support::base64_of(text);
    support::exact_copy const groups(encoded);
    check(support::encodes_base64(k, placed.view(), encoded, groups.span().data()));
    support::exact_copy const bytes(std::string(text.size() / 4 * 3, '?'));
    check(support::decodes_base64(k, placed.view(), bytes.span().data()));
    check(support::decodes_base64(k, placed.view(), placed.data()));
}

// The functions of text/ that stand on them.
void check_faces(std::string_view text) {
    std::size_t const valid = support::utf8_prefix(text);
    check(utf8::validate(text) == (valid == text.size() ? result<void>() : error{errc::invalid_utf8, valid}));
    std::string encoded(base64::encoded_size(text.size()), '?');
    base64::encode(text, encoded.data());
    std::string decoded(text.size(), '?');
    check(base64::decode(encoded, decoded) == text.size() && decoded == text);
    std::string in_place(text);
    if (auto const good = base64::decode(in_place, in_place); !good) fuzz::check_offset(good.error(), text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    std::size_t const gap = in.take() % 64;
    std::uint32_t key = 0;
    for (int i = 0; i != 4; ++i) key = key << 8u | in.take();

    static std::vector<support::kernel_set> const kernels = support::all_kernels();
    for (support::kernel_set const& k : kernels)
        if (k.is_here) compare(k, in.rest(), gap, key);
    check_faces(in.rest());
    return 0;
}
