// The signals that ask a program to end, in whatever state it is.
#pragma once

#include "descriptor.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

namespace posix_driver {

/// SIGINT and SIGTERM. The first one asks the program to close its connections. The second one ends it at once, and so
/// does an alarm if closing takes long: a server that reads nothing, an output that is blocked or a name server that
/// never answers cannot keep the program. The exit code of such an end is 128 and the number of the signal, as shells
/// have it.
///
/// There is one at a time: signals belong to the process.
class end_signals {
public:
    /// How long the program may take to close after the first signal; without an end if this is 0.
    explicit end_signals(std::chrono::seconds max_closing = {}) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        near_end_ = descriptor(ends[0]);
        far_end_ = ends[1];
        max_closing_ = static_cast<unsigned>(max_closing.count());
        handle(SIGALRM, expire);
        handle(SIGINT, ask);
        handle(SIGTERM, ask);
    }
    end_signals(end_signals const&) = delete;
    end_signals& operator=(end_signals const&) = delete;
    ~end_signals() = default; // the handlers stay, and the end that they write to

    /// Can be read once a signal has come.
    [[nodiscard]] int fd() const noexcept { return near_end_.get(); }

    /// All is done but the goodbye to the peer. The program ends within this time, with this code.
    void finish(int exit_code, std::chrono::seconds max_goodbye) {
        bool const is_first = exit_code_ != exit_code;
        exit_code_ = exit_code;
        if (is_first && !was_asked_) ::alarm(static_cast<unsigned>(max_goodbye.count()));
    }

private:
    static void handle(int signal, void (*handler)(int)) {
        struct sigaction action {};
        action.sa_handler = handler;
        sigfillset(&action.sa_mask);
        action.sa_flags = SA_RESTART; // a signal tears no write
        ::sigaction(signal, &action, nullptr);
    }

    // These run in the middle of anything, and each may run on a thread of its own: one that looks up a name.
    static void ask(int signal) {
        if (was_asked_.exchange(true)) ::_exit(128 + signal);
        int expected = undecided;
        exit_code_.compare_exchange_strong(expected, 128 + signal);
        ::alarm(max_closing_);
        int const error = errno;
        ::send(far_end_, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        errno = error;
    }
    static void expire(int) { ::_exit(exit_code_); }

    static constexpr int undecided = -1;
    static inline std::atomic<bool> was_asked_ = false;
    static inline std::atomic<int> exit_code_ = undecided;
    static inline std::atomic<unsigned> max_closing_ = 0;
    static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);
    static inline int far_end_ = -1;

    descriptor near_end_;
};

} // namespace posix_driver
