// What a wire server asks and tells the server of the protocol that it carries.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/server_options.hpp>
#include <socketless/engineio/session.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// An interface, so that one code, which a program may compile separately, carries both an engineio::server and a
// socketless::server. The functions have the names of theirs, unless wire::server has a function of that name.
class server_protocol {
public:
    server_protocol() = default;
    server_protocol(server_protocol const&) = delete; // the wire refers to it
    server_protocol& operator=(server_protocol const&) = delete;

    [[nodiscard]] virtual engineio::server_options const& engine_options() const noexcept = 0;
    [[nodiscard]] virtual bool takes(std::string_view target) const noexcept = 0;
    virtual void http_started(engineio::http_request const& request, time_point now) = 0;
    virtual void http_received(engineio::http_request const& request, time_point now) = 0;
    virtual void http_aborted(engineio::exchange_id exchange, time_point now) = 0;
    [[nodiscard]] virtual std::optional<engineio::refusal>
    websocket_refusal(engineio::websocket_request const& request) = 0;
    virtual void websocket_opened(engineio::websocket_request const& request, time_point now) = 0;
    virtual void websocket_received(engineio::channel_id channel, frame message, time_point now) = 0;
    virtual void channel_closed(engineio::channel_id channel, time_point now) = 0;
    virtual void pause_channel(engineio::channel_id channel) = 0;
    virtual void resume_channel(engineio::channel_id channel) = 0;
    virtual void pass_time(time_point now) = 0;
    virtual void close_sessions() = 0; // close() of the server
    [[nodiscard]] virtual std::size_t session_count() const noexcept = 0;
    [[nodiscard]] virtual std::optional<engineio::transmit> next_transmit(std::string& buffer) = 0;
    [[nodiscard]] virtual std::optional<time_point> next_timeout() const noexcept = 0;

protected:
    ~server_protocol() = default;
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
