// What the readers of HTTP make of an input that comes in pieces, as text that can be compared: for tests and fuzzers.
#pragma once

#include "tools/mutations.hpp"

#include <socketless/http/request.hpp>
#include <socketless/http/response.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

// All parts in order: a line for each head, body and end. The pieces of a body are one.
struct http_outcome {
    std::string parts;
    std::optional<socketless::error> failure;
    bool is_idle = true;

    friend bool operator==(http_outcome const&, http_outcome const&) = default;
};

template <class Head>
std::string text_of_rest(Head const& head) {
    std::string text = " 1." + std::to_string(head.minor_version);
    text += head.keep_alive ? " keep-alive" : " close";
    if (head.content_length) text += " length=" + std::to_string(*head.content_length);
    if (head.is_chunked) text += " chunked";
    for (auto const& f : head.fields) text.append(" [").append(f.name).append("=").append(f.value).append("]");
    return text;
}

inline std::string text_of_head(socketless::http::request_head const& head) {
    std::string text(head.method);
    text.append(" ").append(head.target).append(" @").append(head.host);
    if (head.expects_continue) text += " expects";
    return text + text_of_rest(head);
}

inline std::string text_of_head(socketless::http::response_head const& head) {
    return std::to_string(head.status) + " '" + std::string(head.reason) + "'" + text_of_rest(head);
}

// Gives a reader pieces of input, one after the other, and takes all parts. Each piece lies in memory of exactly its
// size and is gone before the next one comes, so that a sanitizer sees what is still borrowed.
template <class Reader>
class http_feed {
public:
    explicit http_feed(Reader& reader) : reader_(&reader) {}

    void push(std::string_view piece) {
        if (out_.failure) return;
        exact_copy const copy(piece);
        std::span<char> input = copy.span();
        while (take(reader_->read(input))) {
        }
        left_over_.append(input.data(), input.size());
        reader_->keep_head();
        std::fill(copy.span().begin(), copy.span().end(), '?');
        out_.is_idle = reader_->is_idle();
    }

    // The connection has ended: of answers.
    void finish() {
        if (!out_.failure) (void)take(reader_->finish());
        out_.is_idle = reader_->is_idle();
    }

    [[nodiscard]] http_outcome const& outcome() const noexcept { return out_; }
    // What the reader has not taken.
    [[nodiscard]] std::string const& left_over() const noexcept { return left_over_; }

private:
    bool take(socketless::result<std::optional<socketless::http::part>> const& p) {
        using enum socketless::http::part_type;
        if (!p) out_.failure = p.error();
        if (!p || !*p) return false;
        if ((*p)->type != body || !in_body_) {
            in_body_ = (*p)->type == body;
            if (!out_.parts.empty()) out_.parts += '\n';
            if (in_body_) out_.parts += "body ";
        }
        if ((*p)->type == head) out_.parts += head_ = text_of_head(reader_->head());
        if (in_body_) out_.parts.append((*p)->data.data(), (*p)->data.size());
        // The head is still there, although the input that brought it may be gone.
        if ((*p)->type == end) out_.parts += text_of_head(reader_->head()) == head_ ? "end" : "end of another head";
        return true;
    }

    Reader* reader_;
    http_outcome out_;
    std::string head_;
    std::string left_over_;
    bool in_body_ = false;
};

using pieces = std::vector<std::string_view>;

inline http_outcome read_requests(pieces const& input, socketless::http::limits const& l = {}) {
    socketless::http::request_reader reader(l);
    http_feed feed(reader);
    for (auto const piece : input) feed.push(piece);
    return feed.outcome();
}

// Answers to requests with this method; the connection ends behind them.
inline http_outcome read_responses(pieces const& input, std::string_view method = "GET",
                                   socketless::http::limits const& l = {}) {
    socketless::http::response_reader reader(l);
    reader.expect(method);
    http_feed feed(reader);
    for (auto const piece : input) feed.push(piece);
    feed.finish();
    return feed.outcome();
}

inline pieces each_byte(std::string_view text) {
    pieces all;
    for (std::size_t i = 0; i != text.size(); ++i) all.push_back(text.substr(i, 1));
    return all;
}

// Random cuts, some at the same place.
template <class Random>
pieces random_cuts(std::string_view text, std::size_t longest, Random& random) {
    pieces all;
    while (!text.empty()) {
        auto const size = std::min(random.below(longest + 1), text.size());
        all.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return all;
}

} // namespace support
