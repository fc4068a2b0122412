// How the readers of requests and answers read a head: line by line, and where its bytes are kept.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/detail/framing.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http::detail {

// Reads the lines of one head in turn, each once. A Grammar has what requests and answers do not share:
//
//     head                           what the head says
//     first_line_too_long            the error if the first line alone is over the limit
//     empty_lines                    how many may stand before the head
//     read_first_line(line, head, limits), apply(framing, head)
template <class Grammar>
class head_parser {
public:
    using head = typename Grammar::head;

    // The next line, with its LF. True if it was the empty one, at the end.
    constexpr result<bool> take(std::string_view line, head& out, limits const& l) noexcept {
        bool const is_first = first_size_ == 0;
        if (line.size() < 2 || line[line.size() - 2] != '\r') // LF alone ends no line
            return error{is_first ? errc::invalid_start_line : errc::invalid_field};
        if (line.size() == 2 && !is_first) return true;
        auto const good = is_first ? Grammar::read_first_line(line.substr(0, line.size() - 2), out, l)
                                   : take_field(line.substr(0, line.size() - 2), l);
        if (!good) return good.error();
        if (is_first) first_size_ = line.size();
        return false;
    }

    // What the lines say together. Precondition: the last one was the empty one; all of them stand in `text`.
    constexpr result<void> finish(std::string_view text, head& out) const noexcept {
        out.fields = field_view(text.substr(first_size_, text.size() - first_size_ - 2));
        return Grammar::apply(framing_, out);
    }

    [[nodiscard]] constexpr bool has_begun() const noexcept { return first_size_ != 0; }

private:
    constexpr result<void> take_field(std::string_view line, limits const& l) noexcept {
        auto const end = std::ranges::find_if_not(line, token::is_character);
        auto const colon = static_cast<std::size_t>(end - line.begin());
        if (colon == 0 || colon == line.size() || line[colon] != ':') return error{errc::invalid_field};
        field const f{line.substr(0, colon), token::trimmed(line.substr(colon + 1))};
        if (!is_value(f.value)) return error{errc::invalid_field};
        if (++count_ > l.max_fields) return error{errc::too_many_fields};
        return read_field(f, framing_);
    }

    framing framing_;
    std::size_t first_size_ = 0; // of the first line
    std::size_t count_ = 0;      // of the fields
};

// A whole head, and nothing behind it.
template <class Grammar>
constexpr result<typename Grammar::head> read_head(std::string_view text, limits const& l) noexcept {
    if (text.size() > l.max_head) return error{errc::head_too_large, l.max_head};
    typename Grammar::head head;
    head_parser<Grammar> parser;
    for (std::size_t at = 0;;) {
        auto const lf = text.find('\n', at);
        if (lf == std::string_view::npos) return error{errc::truncated_message, text.size()};
        auto const is_end = parser.take(text.substr(at, lf + 1 - at), head, l);
        if (!is_end) return error{is_end.error().code, at};
        at = lf + 1;
        if (!*is_end) continue;
        if (at != text.size()) return error{errc::invalid_field, at};
        if (auto const good = parser.finish(text, head); !good) return good.error();
        return head;
    }
}

// Reads a head that may be cut anywhere. One that lies in one input is borrowed from it and read in one pass. The bytes
// of another are kept; its lines are checked as they come, and read once more when it is whole. Linear.
template <class Grammar>
class head_reader {
public:
    using head = typename Grammar::head;

    // Whether the head is whole now: then its bytes were taken, otherwise all.
    [[nodiscard]] result<bool> read(std::span<char>& input, limits const& l) {
        std::string_view const text(input.data(), input.size());
        std::size_t begin = 0; // of what is not kept
        std::size_t at = 0;    // the line in the text
        for (auto lf = text.find('\n'); lf != std::string_view::npos; lf = text.find('\n', at)) {
            if (kept_.size() + lf + 1 - begin > l.max_head) return too_large(l);
            if (!kept_.empty()) keep(text, begin, lf + 1);
            auto const line = kept_.empty() ? text.substr(at, lf + 1 - at) : kept().substr(line_);
            at = lf + 1;
            if (!parser_.has_begun() && line == "\r\n") {
                if (++empty_lines_ > Grammar::empty_lines) return error{errc::invalid_start_line};
                kept_.clear();
                begin = at;
                continue;
            }
            auto const is_end = parser_.take(line, head_, l);
            if (!is_end) return error{is_end.error().code, line_};
            line_ += line.size();
            if (*is_end) return finish(input, text.substr(begin, at - begin), at, l);
        }
        if (kept_.size() + text.size() - begin > l.max_head) return too_large(l);
        keep(text, begin, text.size());
        input = {};
        return false;
    }

    [[nodiscard]] head const& get() const noexcept { return head_; }
    [[nodiscard]] head& get() noexcept { return head_; }

    // Copies a head that is borrowed. Precondition: it is whole.
    void keep(limits const& l) {
        if (!kept_.empty()) return;
        kept_.assign(borrowed_.begin(), borrowed_.end());
        read_kept(l).ignore(); // it was good
    }

    // Whether no byte of a head is there.
    [[nodiscard]] bool is_empty() const noexcept { return kept_.empty(); }

    // Forgets the head and its memory.
    void clear() noexcept { *this = head_reader(); }

private:
    // Moves the begin of what is not kept up to `end`.
    void keep(std::string_view text, std::size_t& begin, std::size_t end) {
        auto const more = text.substr(begin, end - begin);
        kept_.insert(kept_.end(), more.begin(), more.end());
        begin = end;
    }

    [[nodiscard]] result<bool> finish(std::span<char>& input, std::string_view text, std::size_t end, limits const& l) {
        input = input.subspan(end);
        if (!kept_.empty()) return read_kept(l);
        borrowed_ = text;
        if (auto const good = parser_.finish(text, head_); !good) return good.error();
        return true;
    }

    // The views that it makes are of the kept bytes.
    result<bool> read_kept(limits const& l) {
        auto const whole = read_head<Grammar>(kept(), l);
        if (!whole) return whole.error();
        head_ = *whole;
        return true;
    }

    [[nodiscard]] error too_large(limits const& l) const noexcept {
        return {parser_.has_begun() ? errc::head_too_large : Grammar::first_line_too_long, l.max_head};
    }
    [[nodiscard]] std::string_view kept() const noexcept { return {kept_.data(), kept_.size()}; }

    std::vector<char> kept_; // no string: what is kept in one may move with it
    std::string_view borrowed_;
    head_parser<Grammar> parser_;
    head head_;
    std::size_t line_ = 0; // where the line that has not ended begins in the head
    unsigned empty_lines_ = 0;
};

} // namespace socketless::inline v0::http::detail

#include <socketless/core/detail/epilogue.hpp>
