// Reads what one side puts on the wire as its peer would if nothing were lost: bodies, frames and streams of Engine.IO,
// and the Socket.IO packets in them.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/parser.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace support {

// One direction of one connection. `on_packet(socketio::message)` is called for each packet; false is an error.
class wire_watch {
public:
    // `parser` is that of both sides, null for the default encoding.
    wire_watch(socketless::engineio::revision r, socketless::socketio::parser const* parser)
        : revision_(r),
          socketio_revision_(r == socketless::engineio::revision::v4 ? socketless::socketio::revision::v5
                                                                     : socketless::socketio::revision::v4),
          assembler_(socketio_revision_) {
        using socketless::socketio::detail::packets_of_parser;
        if (parser != nullptr)
            parsed_ = std::make_unique<packets_of_parser>(*parser, socketless::socketio::sender::server);
    }

    template <class F>
    [[nodiscard]] bool body(socketless::frame f, F on_packet) {
        using enum socketless::engineio::payload_format;
        auto const v3_format = f.kind == socketless::frame_kind::text ? v3_text : v3_binary;
        auto const format = revision_ == socketless::engineio::revision::v4 ? v4 : v3_format;
        std::string buffer(f.data.size(), '\0');
        socketless::engineio::payload_reader reader(f.data, buffer, format);
        while (auto const p = reader.next())
            if (!*p || !take(**p, on_packet)) return false;
        return true;
    }

    template <class F>
    [[nodiscard]] bool frame(socketless::frame f, F on_packet) {
        std::string buffer(f.data.size(), '\0');
        auto const p = socketless::engineio::decode(f, revision_, buffer);
        return p && take(*p, on_packet);
    }

    template <class F>
    [[nodiscard]] bool stream(std::string_view bytes, F on_packet) {
        bool good = true;
        reader_.push(bytes);
        while (auto const f = reader_.next()) good = good && *f && frame(**f, on_packet);
        return good;
    }

private:
    template <class F>
    bool take(socketless::engineio::packet const& p, F on_packet) {
        if (p.type != socketless::engineio::packet_type::message) return true;
        if (parsed_) {
            auto const m = parsed_->decode({p.kind, p.data}, socketless::text_check::due, socketio_revision_, {});
            if (m) on_packet(*m);
            return m.has_value();
        }
        auto const m = assembler_.push({p.kind, p.data});
        if (!m) return false;
        if (*m)
            on_packet(**m);
        else
            assembler_.retain();
        return true;
    }

    socketless::engineio::revision revision_;
    socketless::socketio::revision socketio_revision_;
    std::unique_ptr<socketless::socketio::detail::parsed_packets> parsed_;
    socketless::engineio::stream_reader reader_{100'000'000};
    socketless::socketio::assembler assembler_;
};

} // namespace support
