// What a wire client asks and tells the client of the protocol that it carries.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// An interface, so that one code, which a program may compile separately, carries both an engineio::client_session and
// a socketless::client. The functions have the names of theirs, unless wire::client has a function of that name.
class client_protocol {
public:
    client_protocol() = default;
    client_protocol(client_protocol const&) = delete; // the wire refers to it
    client_protocol& operator=(client_protocol const&) = delete;

    [[nodiscard]] virtual std::size_t max_payload() const noexcept = 0;
    // Whether there will be more requests by long-polling.
    [[nodiscard]] virtual bool is_polling() const noexcept = 0;
    virtual void http_response(engineio::exchange_id exchange, int status, bool is_binary, std::span<char> body,
                               time_point now) = 0;
    virtual void http_failed(engineio::exchange_id exchange, time_point now) = 0;
    virtual void channel_opened(engineio::channel_id channel, time_point now) = 0;
    virtual void websocket_received(engineio::channel_id channel, frame message, time_point now) = 0;
    virtual void channel_closed(engineio::channel_id channel, time_point now) = 0;
    virtual void channel_refused(engineio::channel_id channel, int status, std::string_view body, time_point now) = 0;
    virtual void pause_channel(engineio::channel_id channel) = 0;
    virtual void resume_channel(engineio::channel_id channel) = 0;
    virtual void pass_time(time_point now) = 0;
    [[nodiscard]] virtual std::optional<engineio::transmit> next_transmit(std::string& buffer) = 0;
    [[nodiscard]] virtual std::optional<time_point> next_timeout() const noexcept = 0;

protected:
    ~client_protocol() = default;
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
