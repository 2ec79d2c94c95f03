"""Networks for images: those of timm at a small size, and a few written here that timm has not."""

import timm
import torch
from torch import nn
from torch.nn import functional

# Name in the table → architecture of timm, side of its input, arguments.
TIMM = {
    "resnet18": ("resnet18", 160, {}),
    "mobilenetv2": ("mobilenetv2_100", 160, {}),
    "mobilenetv3": ("mobilenetv3_large_100", 160, {}),
    "efficientnet": ("efficientnet_b0", 160, {}),
    "convnext": ("convnext_atto", 160, {}),
    "regnet": ("regnety_008", 160, {}),
    "densenet121": ("densenet121", 128, {}),
    "shufflenetv2": (None, 160, {}),
    "ghostnet": ("ghostnet_100", 160, {}),
    "vgg11": (None, 64, {}),
    "nfnet": (None, 96, {}),
    "repvgg": ("repvgg_a0", 128, {}),
    "vit": ("vit_tiny_patch16_224", 160, dict(img_size=160)),
    "deit": ("deit_tiny_distilled_patch16_224", 160, dict(img_size=160)),
    "swin": ("swin_tiny_patch4_window7_224", 112, dict(img_size=112, embed_dim=64, depths=(2, 2, 2, 2), num_heads=(2, 4, 8, 16))),
    "mixer": (None, 160, {}),
    "poolformer": ("poolformer_s12", 128, {}),
    "mobilevit": ("mobilevit_s", 128, {}),
    "levit": ("levit_128s", 224, {}),
}


def timm_model(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The architecture with random weights, and an input for it."""
    architecture, side, arguments = TIMM[name]
    image = torch.randn(1, 3, side, side)
    if name == "shufflenetv2":
        from torchvision.models import shufflenet_v2_x1_0

        return shufflenet_v2_x1_0(weights=None), (image,)
    if name == "mixer":
        from timm.models.mlp_mixer import MlpMixer

        return MlpMixer(img_size=160, patch_size=16, num_blocks=6, embed_dim=384), (image,)
    if name == "vgg11":
        from timm.models.vgg import cfgs, VGG

        return VGG(cfgs["vgg11"], num_classes=100, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 16), (image,)
    if name == "nfnet":
        from timm.models.nfnet import NormFreeNet, NfCfg

        cfg = NfCfg(depths=(1, 1, 2, 1), channels=(64, 128, 256, 256), stem_type="deep", stem_chs=32, group_size=32, attn_layer="se", attn_kwargs=dict(rd_ratio=0.5),
                    act_layer="gelu", num_features=256)
        return NormFreeNet(cfg, num_classes=100), (image,)
    return timm.create_model(architecture, pretrained=False, **arguments), (image,)


def block(inputs: int, outputs: int, stride: int = 1, groups: int = 1, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.SiLU())


class UNet(nn.Module):
    """Down twice, up twice, with what was before beside what comes after."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = nn.Sequential(block(3, width), block(width, width))
        self.second = nn.Sequential(block(width, 2 * width, 2), block(2 * width, 2 * width))
        self.third = nn.Sequential(block(2 * width, 4 * width, 2), block(4 * width, 4 * width))
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.back2 = nn.Sequential(block(4 * width, 2 * width), block(2 * width, 2 * width))
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.back1 = nn.Sequential(block(2 * width, width), nn.Conv2d(width, 4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        second = self.second(first)
        x = self.back2(torch.cat([self.up2(self.third(second)), second], 1))
        return self.back1(torch.cat([self.up1(x), first], 1))


class Autoencoder(nn.Module):
    """Convolutions down to a vector and up again."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.down = nn.Sequential(block(3, width, 2), block(width, 2 * width, 2), block(2 * width, 4 * width, 2), nn.Flatten())
        self.code = nn.Linear(4 * width * 64, 128)
        self.decode = nn.Linear(128, 4 * width * 64)
        ups = [nn.ConvTranspose2d(4 * width // i, 4 * width // (2 * i), 4, 2, 1) for i in (1, 2, 4)]
        self.up = nn.Sequential(ups[0], nn.ReLU(), ups[1], nn.ReLU(), ups[2], nn.ReLU(), nn.Conv2d(width // 2, 3, 3, 1, 1), nn.Sigmoid())
        self.width = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.decode(self.code(self.down(x))).reshape(-1, 4 * self.width, 8, 8))


class Yolo(nn.Module):
    """Three scales, a path up and one down, heads for boxes as distributions (DFL) and for classes."""

    def __init__(self, width: int = 48, classes: int = 20) -> None:
        super().__init__()
        self.stem = nn.Sequential(block(3, width // 2, 2), block(width // 2, width, 2), block(width, width))
        self.c3 = nn.Sequential(block(width, 2 * width, 2), block(2 * width, 2 * width))
        self.c4 = nn.Sequential(block(2 * width, 4 * width, 2), block(4 * width, 4 * width))
        self.c5 = nn.Sequential(block(4 * width, 6 * width, 2), block(6 * width, 6 * width))
        self.p4 = block(10 * width, 4 * width)
        self.p3 = block(6 * width, 2 * width)
        widths = (2 * width, 4 * width, 6 * width)
        self.boxes = nn.ModuleList(nn.Sequential(block(w, 64), nn.Conv2d(64, 64, 1)) for w in widths)
        self.classes = nn.ModuleList(nn.Sequential(block(w, 64), nn.Conv2d(64, classes, 1)) for w in widths)
        self.bins = nn.Conv2d(16, 1, 1, bias=False)
        self.bins.fixed = True
        self.bins.weight.data[:] = torch.arange(16.0).reshape(1, 16, 1, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        c3 = self.c3(self.stem(x))
        c4 = self.c4(c3)
        c5 = self.c5(c4)
        p4 = self.p4(torch.cat([functional.interpolate(c5, scale_factor=2.0), c4], 1))
        p3 = self.p3(torch.cat([functional.interpolate(p4, scale_factor=2.0), c3], 1))
        levels = (p3, p4, c5)
        boxes = torch.cat([head(one).flatten(2) for head, one in zip(self.boxes, levels)], 2)
        scores = torch.cat([head(one).flatten(2) for head, one in zip(self.classes, levels)], 2)
        sides = self.bins(boxes.reshape(1, 4, 16, -1).transpose(1, 2).softmax(1)).squeeze(1)
        return sides, scores.sigmoid()


class SsdLite(nn.Module):
    """Depthwise blocks at a falling stride, and depthwise heads on four maps."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        sizes = (32, 96, 192, 320, 512, 512)
        pairs = list(zip(sizes, sizes[1:]))
        self.stem = block(3, 32, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(block(a, a, 2, a), block(a, b, kernel=1), block(b, b, 1, b), block(b, b, kernel=1)) for a, b in pairs)
        self.heads = nn.ModuleList(
            nn.Sequential(block(n, n, 1, n), nn.Conv2d(n, 6 * (classes + 4), 1)) for n in sizes[2:])
        self.classes = classes

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, found = self.stem(x), []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index > 0:
                made = self.heads[index - 1](x)
                found.append(made.permute(0, 2, 3, 1).reshape(1, -1, self.classes + 4))
        boxes, scores = torch.cat(found, 1).split([4, self.classes], 2)
        return boxes, scores.softmax(2)


class SuperResolution(nn.Module):
    """EDSR at a small size: residual blocks, then pixels from channels."""

    def __init__(self, width: int = 96, depth: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, 1, 1)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1)) for _ in range(depth))
        self.last = nn.Sequential(nn.Conv2d(width, 12, 3, 1, 1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for one in self.body:
            x = x + 0.3 * one(x)
        return self.last(x)


WRITTEN = {"unet": (UNet, 64), "autoencoder": (Autoencoder, 64), "yolo": (Yolo, 128), "ssdlite": (SsdLite, 160), "super-resolution": (SuperResolution, 48)}


def written_model(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    make, side = WRITTEN[name]
    return make(), (torch.randn(1, 3, side, side),)
