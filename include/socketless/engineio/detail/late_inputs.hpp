// Inputs of a session that were given before it had read what came earlier: each waits for its turn.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/input.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

enum class input_type : std::uint8_t { message, chunk, opened, closed, response, failure, timeout, end };

struct input {
    input_type type = input_type::end;
    close_reason reason = close_reason::transport_error; // of an end
    text_check text = text_check::due;                   // of a message
    int status = 0;                                      // of a response
    std::uint64_t id = 0;                                // of the exchange or the channel
    frame data = {};
    time_point now{};
};

// A queue that exists only while something waits in it, which is rare.
class late_inputs {
public:
    [[nodiscard]] bool empty() const noexcept { return waiting_ == nullptr; }
    // Whether the session ends once the others have been read.
    [[nodiscard]] bool has_end() const noexcept { return waiting_ && waiting_->all.back().type == input_type::end; }
    // Whether the I/O layer has said that this channel or exchange is over: then the session asks nothing more of it.
    [[nodiscard]] bool is_over(std::uint64_t id) const noexcept {
        return waiting_ && std::ranges::find(waiting_->over, id) != waiting_->over.end();
    }

    // After an end, further inputs are dropped. If it throws, it has done nothing. Precondition: the session has that
    // channel or exchange.
    void push(input const& i) {
        bool const ends =
            i.type == input_type::closed || i.type == input_type::response || i.type == input_type::failure;
        if (ends && is_over(i.id)) return;
        bool const has_ended = has_end();
        if (!waiting_) waiting_ = std::make_unique<waiting>();
        auto& [all, next, over] = *waiting_;
        core_detail::rollback undo([this, told = over.size()]() noexcept {
            waiting_->over.resize(told);
            if (waiting_->all.empty()) clear();
        });
        if (ends) over.push_back(i.id);
        if (!has_ended) {
            // Of several times without an input between them, only the last counts.
            bool const replaces =
                i.type == input_type::timeout && !all.empty() && all.back().type == input_type::timeout;
            bool const fits = replaces || all.size() - next < max_unread_inputs;
            if (!replaces) all.emplace_back();
            input& last = all.back();
            last = i;
            if (!fits) {
                last.type = input_type::end;
                last.reason = close_reason::queue_overflow;
            }
        }
        undo.commit();
    }

    // Precondition: not empty.
    [[nodiscard]] input take() noexcept {
        auto& [all, next, over] = *waiting_;
        input const first = all[next++];
        if (next == all.size()) {
            clear();
        } else if (next > 64 && next > all.size() / 2) {
            all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(next));
            next = 0;
        }
        return first;
    }
    void clear() noexcept { waiting_.reset(); }

private:
    struct waiting {
        std::vector<input> all;
        std::size_t next = 0;
        std::vector<std::uint64_t> over;
    };
    std::unique_ptr<waiting> waiting_;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
