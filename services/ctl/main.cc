// sluicectl: Sluice for people and scripts. It holds no state.
#include <cstdlib>
#include <iostream>

#include "ctl/app.h"
#include "wire/grpc_log.h"

int main(int argc, char** argv) {
  sluice::wire::SilenceGrpc();
  return sluice::ctl::Run(argc, argv,
                          {std::cin, std::cout, std::cerr,
                           [](const char* name) -> const char* { return std::getenv(name); }});
}
