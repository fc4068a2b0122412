// The signals that ask siocat to end, in whatever state it is.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <system_error>
#include <utility>

namespace siocat {

/// SIGINT and SIGTERM. The first one asks the program to close its connection. If that takes long, an alarm ends the
/// program: a server that reads nothing, an output that is blocked or a name server that never answers cannot keep it.
/// The second signal ends it at once. The exit code of such an end is 128 and the number of the signal, as shells have
/// it.
///
/// There is one at a time: signals belong to the process.
class end_signals {
public:
    /// `asked()` is called at the first signal, by the context.
    end_signals(boost::asio::io_context& context, std::function<void()> asked)
        : wake_up_(context), asked_(std::move(asked)) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        wake_up_.assign(ends[0]);
        far_end_ = ends[1];
        handle(SIGALRM, expire);
        handle(SIGINT, ask);
        handle(SIGTERM, ask);
        wake_up_.async_wait(wake_up_.wait_read, [this](boost::system::error_code ec) {
            if (!ec) asked_();
        });
    }
    end_signals(end_signals const&) = delete;
    end_signals& operator=(end_signals const&) = delete;
    ~end_signals() = default; // the handlers stay, and the end that they write to

    /// All is done but the goodbye to the server. The program ends soon, with this code, even if the server keeps it
    /// waiting.
    void finish(int exit_code) {
        bool const is_first = exit_code_ != exit_code;
        exit_code_ = exit_code;
        wake_up_.cancel();
        if (is_first && !was_asked_) ::alarm(max_goodbye);
    }

private:
    // Seconds. The driver gives servers 5 s to answer a goodbye.
    static constexpr unsigned max_goodbye = 6;
    static constexpr unsigned max_closing = 2;

    static void handle(int signal, void (*handler)(int)) {
        struct sigaction action {};
        action.sa_handler = handler;
        sigfillset(&action.sa_mask);
        action.sa_flags = SA_RESTART; // a signal tears no write
        ::sigaction(signal, &action, nullptr);
    }

    // These run in the middle of anything, and each may run on a thread of its own: the resolver has one.
    static void ask(int signal) {
        if (was_asked_.exchange(true)) ::_exit(128 + signal);
        int expected = undecided;
        exit_code_.compare_exchange_strong(expected, 128 + signal);
        ::alarm(max_closing);
        int const error = errno;
        ::send(far_end_, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        errno = error;
    }
    static void expire(int) { ::_exit(exit_code_); }

    static constexpr int undecided = -1;
    static inline std::atomic<bool> was_asked_ = false;
    static inline std::atomic<int> exit_code_ = undecided;
    static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);
    static inline int far_end_ = -1;

    boost::asio::posix::stream_descriptor wake_up_;
    std::function<void()> asked_;
};

} // namespace siocat
