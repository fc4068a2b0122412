// The network of qt_server.cpp and qt_client.cpp: moves the bytes of connections with Qt, for a wire::server or a
// wire::client. QSslSocket is for TCP too. Copy it and make it your own.
#pragma once

#include <socketless/core/time.hpp>
#include <socketless/wire/transmit.hpp>

#include <QtCore/QCoreApplication>
#include <QtCore/QTimer>
#include <QtNetwork/QSslSocket>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>

using socketless::milliseconds;
namespace wire = socketless::wire;
inline auto now() {
    return std::chrono::steady_clock::now();
}

template <class Wire, class Application>
struct network {
    Wire& io;
    Application& application;
    std::map<wire::connection_id, QSslSocket*> connections = {};
    std::string buffer = {};
    QTimer timer{};

    network(Wire& wire, Application& events) : io(wire), application(events) {
        timer.setSingleShot(true);
        timer.callOnTimeout([this] { io.handle_timeout(now()), drive(); });
    }

    // Runs after each input. It never runs inside itself: all signals are queued.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t);
        }
        auto const at = io.poll_timeout();
        at ? timer.start(std::max(ceil<milliseconds>(*at - now()), milliseconds(0))) : timer.stop();
        if (io.is_done()) QCoreApplication::quit(); // nothing is left to wait for
    }
    void perform(wire::transmit const& t) {
        if (t.type == wire::transmit_type::connect) return connect(t);
        auto const c = connections.find(t.connection);
        if (c == connections.end()) return;
        if (t.type == wire::transmit_type::send) {
            io.pause(t.connection); // until it is written
            c->second->write(t.data.data(), static_cast<qint64>(t.data.size()));
        }
        // Qt cannot end one side alone.
        if (t.type == wire::transmit_type::end) c->second->disconnectFromHost();
        if (t.type == wire::transmit_type::close) close(t.connection);
    }

    void connect(wire::transmit const& t) {
        auto* const socket = add(t.connection);
        auto const signal = t.tls ? &QSslSocket::encrypted : &QSslSocket::connected;
        QObject::connect(
            socket, signal, socket, [=, this, id = t.connection] { connected(id, *socket); }, Qt::QueuedConnection);
        auto const host = QString::fromUtf8(t.host.data(), static_cast<qsizetype>(t.host.size()));
        t.tls ? socket->connectToHostEncrypted(host, t.port) : socket->connectToHost(host, t.port);
    }
    void connected(wire::connection_id id, QSslSocket& socket) {
        socket.setSocketOption(QSslSocket::LowDelayOption, 1);
        if constexpr (requires { io.connected(id, now()); }) io.connected(id, now());
        drive();
    }
    QSslSocket* add(wire::connection_id id) {
        using S = QSslSocket;
        auto* const s = connections[id] = new QSslSocket;
        auto const on = [s](auto signal, auto handler) {
            QObject::connect(s, signal, s, handler, Qt::QueuedConnection);
        };
        on(&S::readyRead, [=, this] { read(id, *s), drive(); });
        auto const written = [=, this] {
            if (s->bytesToWrite() + s->encryptedBytesToWrite() == 0) io.resume(id), drive();
        };
        on(&S::bytesWritten, written);
        on(&S::encryptedBytesWritten, written);
        on(&S::stateChanged, [=, this] { // it is gone, or could not be made
            if (s->state() != S::UnconnectedState) return;
            read(id, *s);
            if (s->error() == S::RemoteHostClosedError) io.ended(id, now());
            io.closed(id, now());
            close(id);
            drive();
        });
        return s;
    }
    void read(wire::connection_id id, QSslSocket& socket) {
        auto bytes = socket.readAll();
        if (bytes.isEmpty()) return;
        io.received(id, {bytes.data(), static_cast<std::size_t>(bytes.size())}, now());
        while (auto e = io.poll_event()) application.handle(*e); // then `bytes` may go
    }
    void close(wire::connection_id id) {
        auto const c = connections.extract(id);
        if (!c.empty()) c.mapped()->deleteLater(); // late news of it does no harm
    }
};
