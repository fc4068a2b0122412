// tests/examples/qt_server.cpp [port]: the chat of lobby.hpp on Qt 6.
#include "examples/lobby.hpp"
#include "examples/qt_network.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <QtCore/QCoreApplication>
#include <QtNetwork/QTcpServer>

#include <cstdlib>
#include <iostream>

using namespace socketless;

struct listener final : QTcpServer {
    network<wire::server<>, lobby>& net;
    wire::connection_id last_id = 0;

    explicit listener(network<wire::server<>, lobby>& n) : net(n) {}

    void incomingConnection(qintptr descriptor) override {
        auto* const socket = net.add(++last_id);
        socket->setSocketDescriptor(descriptor);
        socket->setSocketOption(QSslSocket::LowDelayOption, 1);
        net.io.accepted(last_id, "", now());
        net.drive();
    }
};

int main(int argc, char** argv) {
    QCoreApplication const qt(argc, argv);
    int const port = argc > 1 ? std::atoi(argv[1]) : 3000;
    wire::server<> io({}, {.cors = {.origins = {"*"}}}, system_random(), now());
    lobby application{io.protocol()};
    network net(io, application);
    listener clients(net);
    if (!clients.listen(QHostAddress::Any, static_cast<quint16>(port))) return 1;
    std::cout << "listening on " << port << std::endl;
    return QCoreApplication::exec();
}
