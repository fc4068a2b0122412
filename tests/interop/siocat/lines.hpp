// The lines of the standard input: a terminal, a pipe, a file or nothing.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace siocat {

class line_reader {
public:
    /// Calls `take(line)` for each line, without its end, and `end()` once, behind the last one.
    line_reader(boost::asio::io_context& context, std::function<void(std::string_view)> take, std::function<void()> end)
        : input_(context), take_(std::move(take)), end_(std::move(end)) {}

    /// Reads up to the end of a line, and all that came with it. Call it again afterwards.
    void read() {
        if (std::exchange(is_reading_, true) || is_stopped_) return;
        // Waiting, then reading what is there, leaves the terminal as it is, which the shell reads from too.
        if (!input_.is_open()) input_.assign(::dup(STDIN_FILENO));
        input_.async_wait(input_.wait_read, [this](boost::system::error_code ec) {
            // A file is always ready: nothing can wait for it.
            if (!ec || ec == boost::asio::error::operation_not_supported) take_piece();
        });
    }

    void stop() {
        is_stopped_ = true;
        if (input_.is_open()) input_.close();
    }

private:
    void take_piece() {
        char piece[64 * 1024];
        auto const size = ::read(STDIN_FILENO, piece, sizeof piece);
        is_reading_ = false;
        if (size <= 0) {
            is_stopped_ = true;
            input_.close();
            if (!line_.empty()) take_(line_);
            return end_();
        }
        std::string_view rest(piece, static_cast<std::size_t>(size));
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            line_ += rest.substr(0, end);
            rest.remove_prefix(end + 1);
            take_(line_);
            line_.clear();
        }
        bool const was_part = rest.size() == static_cast<std::size_t>(size);
        line_ += rest;
        if (was_part) read();
    }

    boost::asio::posix::stream_descriptor input_;
    std::function<void(std::string_view)> take_;
    std::function<void()> end_;
    std::string line_;
    bool is_reading_ = false;
    bool is_stopped_ = false;
};

} // namespace siocat
